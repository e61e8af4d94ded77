"""One server that speaks the OpenAI completions API: requests, streamed answers, and what may go wrong on the way."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from pmind.errors import DecodingError

LONGEST_QUOTE = 200  # characters of a server's own words in an error


@dataclass
class Completion:
    """An answer while it is streamed.

    Attributes:
        ids: its tokens, as far as the server tells them.
        text: its text.
        chunks: events that brought something.
        first: clock when the first of them came.
        finish: why the server ended it, empty while it has not.
        completion_tokens: how many tokens the server says it has, if it does.
        cached_tokens: how many prompt tokens the server says it had in its cache, if it does.
    """

    ids: list[int] = field(default_factory=list)
    text: str = ""
    chunks: int = 0
    first: float | None = None
    finish: str = ""
    completion_tokens: int | None = None
    cached_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of the answer: as the server counts them, else those it told, else the chunks."""
        return self.completion_tokens or len(self.ids) or self.chunks

    def take(self, event: dict) -> None:
        """Add one event of the stream."""
        usage = event.get("usage") or {}
        self.completion_tokens = usage.get("completion_tokens", self.completion_tokens)
        details = usage.get("prompt_tokens_details") or {}
        self.cached_tokens = max(
            self.cached_tokens, details.get("cached_tokens") or 0, (event.get("timings") or {}).get("cache_n", 0)
        )
        for choice in event.get("choices", ()):
            self._take_choice(choice)

    def _take_choice(self, choice: dict) -> None:
        ids, text = _told_ids(choice), choice.get("text") or ""
        self.finish = choice.get("finish_reason") or self.finish
        if not ids and not text and self.finish:  # an event that only says that it is over
            return
        if self.first is None:
            self.first = time.perf_counter()
        self.chunks += 1
        self.ids += ids
        self.text += text


class CompletionServer:
    """A server by its address; every failure becomes one ``DecodingError`` that names the address.

    Args:
        url: of the server, with or without ``/v1``.
        patience_s: seconds that one answer may take before the server counts as stuck.
    """

    def __init__(self, url: str, patience_s: float) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self._patience_s = patience_s
        self._opener = build_opener(ProxyHandler({}))  # a proxy would be timed along

    def get(self, path: str) -> tuple[dict, str]:
        """The JSON at PATH and the server's name for itself."""
        with self._open(path, None) as response:
            return json.loads(response.read()), response.headers.get("Server", "")

    def post(self, path: str) -> bool:
        """Whether an empty POST to PATH is welcome."""
        try:
            with self._open(path, {}):
                return True
        except DecodingError:
            return False

    def complete(self, body: dict) -> Completion:
        """Ask for BODY's completion and read it to its end."""
        path = "/v1/completions"
        completion = Completion()
        deadline = time.perf_counter() + self._patience_s
        with self._open(path, body | {"stream": True, "stream_options": {"include_usage": True}}) as response:
            for event in _events(response):
                if event.get("error"):
                    raise DecodingError(f"{self.url}{path} failed: {_quote(event['error'])}; see the server's log")
                completion.take(event)
                if time.perf_counter() > deadline:
                    raise TimeoutError
        if not completion.finish:
            raise DecodingError(
                f"{self.url}{path} broke off after {completion.tokens} of {body['max_tokens']} tokens; "
                "see whether the server still runs and what its log says"
            )
        return completion

    @contextmanager
    def _open(self, path: str, body: dict | None) -> Iterator[HTTPResponse]:
        address = self.url + path
        data = None if body is None else json.dumps(body).encode()
        try:
            request = Request(address, data, {"Content-Type": "application/json"})
            with self._opener.open(request, timeout=self._patience_s) as response:
                yield response
        except HTTPError as error:
            raise DecodingError(
                f"{address} answered {error.code}: {_quote(error.read())}; see the server's log: "
                "it must have the OpenAI completions API and take prompts as token ids"
            ) from error
        except TimeoutError as error:
            raise DecodingError(
                f"{address} did not finish within {self._patience_s:g} s; see its log, or ask for fewer tokens"
            ) from error
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, TimeoutError):
                raise DecodingError(f"{address} cannot be reached within {self._patience_s:g} s; check url") from error
            raise DecodingError(f"{address}: {_quote(reason)}; start the server there or correct url") from error
        except ValueError as error:
            raise DecodingError(
                f"{address} sent {_quote(error)}; url must be that of a server with the OpenAI completions API"
            ) from error


def _events(response: HTTPResponse) -> Iterator[dict]:
    """Data of the server-sent events up to the one that ends them."""
    for line in response:
        data = line.decode().strip()
        if not data.startswith("data:"):
            continue
        data = data.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if not isinstance(event, dict):
            raise ValueError(f"no event but {data}")
        yield event


def _told_ids(choice: dict) -> list[int]:
    """Token ids of an event as vLLM and SGLang tell them, or as llama.cpp does among its log-probabilities."""
    if choice.get("token_ids"):
        return choice["token_ids"]
    content = (choice.get("logprobs") or {}).get("content") or ()
    return [token["id"] for token in content if "id" in token]


def _quote(words: object) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split())[:LONGEST_QUOTE] or "nothing"
