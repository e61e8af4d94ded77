"""One request to a server that speaks the OpenAI API: its reply, or why there is none.

The ``openai`` client sends it. It retries nothing and follows no redirect, and the key it sends is in
no text that comes from here.
"""

import json
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from openai import APIConnectionError, APIStatusError, APITimeoutError, DefaultHttpxClient, Omit, OpenAI

from pmind.errors import DecodingError, ParamsError

LONGEST_REPLY = 1 << 24  # bytes
LONGEST_QUOTE = 200  # characters of a server's own words in an error
PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}  # statuses that another attempt may mend
BROKEN_OFF = {"error", "abort", "insufficient_system_resource"}  # ends of OpenRouter, vLLM and DeepSeek for trouble

_http = import_module(DefaultHttpxClient.__mro__[1].__module__)  # httpx, or httpx2 from openai 3 on
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")  # neither SQLite nor a later request takes it


class Failure(Exception):
    """Why there is no reply, whether another attempt may help, and how long the server asks to wait.

    Attributes:
        reason: a few words, the same for all failures of a kind.
        passing: whether another attempt may help.
        wait_s: seconds that the server asks to wait.
        detail: what else is known of this one.
    """

    def __init__(self, reason: str, passing: bool = False, wait_s: float | None = None, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.passing, self.wait_s, self.detail = reason, passing, wait_s, detail


@dataclass(frozen=True)
class Completion:
    """What a server replied.

    Attributes:
        text: of the first choice, empty where it has none.
        finish_reason: in the server's words, empty where it gives none.
        prompt_tokens: as the server counts them, ``None`` where it does not.
        completion_tokens: likewise, reasoning included.
    """

    text: str
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Client:
    """The chat completions or the text completions of a server.

    Args:
        base_url: of the API, such as ``https://api.openai.com/v1``; where it has no path, ``/v1`` is added.
        timeout_s: seconds that one request may take.
        chat: whether bodies hold ``messages`` rather than a ``prompt``.
        key_variables: of the environment; the first that is set holds the key. Without one none is sent.
        ways_out: statuses with which every other request would be answered, too, and what to do then.

    Attributes:
        url: where requests go.

    Raises:
        ParamsError: BASE_URL is not that of a web server or holds more than that, or the key cannot be sent.
    """

    def __init__(
        self, base_url: str, timeout_s: float, *, chat: bool, key_variables: Sequence[str], ways_out: Mapping[int, str]
    ) -> None:
        base = _checked_url(base_url)
        self.url = base + ("/chat/completions" if chat else "/completions")
        self._chat, self._timeout_s, self._ways_out = chat, timeout_s, ways_out
        self._key = _key(key_variables)
        client = OpenAI(
            api_key=self._key or "none",  # it insists on one
            base_url=base,
            timeout=timeout_s,
            max_retries=0,
            http_client=DefaultHttpxClient(follow_redirects=False),  # a redirect would carry the key elsewhere
        )
        self._create = (client.chat.completions if chat else client.completions).with_streaming_response.create

    def complete(self, body: Mapping[str, Any]) -> Completion:
        """What the server replies to BODY.

        Raises:
            DecodingError: no request can succeed here.
            Failure: this one did not.
        """
        deadline = time.monotonic() + self._timeout_s
        headers = None if self._key else {"Authorization": Omit()}
        needed = {name: body[name] for name in ("model", "messages" if self._chat else "prompt")}
        try:  # causes are left out of what is raised: they may quote the key
            with self._create(**needed, extra_body=dict(body), extra_headers=headers) as response:
                return self._completion(_read(response.iter_bytes(), deadline))
        except APIStatusError as error:
            raise self._refusal(error) from None
        except (APITimeoutError, _http.TimeoutException, TimeoutError):
            raise Failure("timed out", passing=True) from None
        except APIConnectionError as error:
            raise Failure("no connection", passing=True, detail=self._quote(error.__cause__)) from None
        except _http.HTTPError as error:
            raise Failure("cut off in transit", passing=True, detail=self._quote(error)) from None

    def _refusal(self, error: APIStatusError) -> Exception:
        words = self._quote(error.response.text)
        if error.status_code in self._ways_out:
            said = f"{error.status_code} {error.response.reason_phrase} ({words})"
            return DecodingError(f"{self.url} answered {said}; {self._ways_out[error.status_code]}")
        wait_s = _retry_after(error.response.headers.get("Retry-After", ""))
        return Failure(f"HTTP {error.status_code}", error.status_code in PASSING, wait_s, words)

    def _completion(self, body: bytes) -> Completion:
        try:
            reply = json.loads(body)
            choice = reply["choices"][0]
            text = choice["message"]["content"] if self._chat else choice["text"]
            finish = choice.get("finish_reason") or ""
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            text, finish = ..., ""
        if not isinstance(text, str | None) or not isinstance(finish, str):
            reason = f"not a {'chat' if self._chat else 'text'} completion"
            raise Failure(reason, passing=True, detail=self._quote(body.decode(errors="replace"))) from None
        if finish in BROKEN_OFF:
            raise Failure(f"ended for {finish}", passing=True)
        return Completion(_HALF_A_CHARACTER.sub("\ufffd", text or ""), finish, *_tokens(reply.get("usage")))

    def _quote(self, words: object) -> str:
        """The start of WORDS on one line, and never the key, which a server may repeat."""
        text = str(words).replace(self._key, "[key]") if self._key else str(words)
        return " ".join(text.split())[:LONGEST_QUOTE]


def _checked_url(base_url: str) -> str:
    if re.search("[@?#]", base_url):  # not quoted: it may hold a key
        raise ParamsError("the address of a server holds no user, password or query; keys belong in the environment")
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ParamsError(f"{base_url!r} is no address of a server; give one such as http://127.0.0.1:8000/v1")
    return base_url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")


def _key(variables: Sequence[str]) -> str:
    for name in variables:
        key = os.environ.get(name, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ParamsError(
                f"{name} holds characters that cannot be sent, such as a line end; set it to the key alone"
            )
        if key:
            return key
    return ""


def _read(chunks: Iterable[bytes], deadline: float) -> bytes:
    """The whole body; a server that sends it drop by drop times out too."""
    body = b""
    for chunk in chunks:
        body += chunk
        if time.monotonic() > deadline:
            raise TimeoutError
        if len(body) > LONGEST_REPLY:
            break
    return body


def _tokens(usage: object) -> tuple[int | None, int | None]:
    counts = usage if isinstance(usage, dict) else {}
    prompt, completion = counts.get("prompt_tokens"), counts.get("completion_tokens")
    return (prompt, completion) if type(prompt) is int and type(completion) is int else (None, None)


def _retry_after(value: str) -> float | None:
    """Seconds to wait for, which the header gives as such or as a date (RFC 9110, section 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
