"""Where a judge's replies come from: the SQLite file that keeps them, else a chat completions endpoint."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pmind.errors import DataError, DecodingError, ParamsError

PATIENCE_S = 60.0  # for another process that writes the file
TABLE = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"

KEY_VARIABLES = ("PMIND_JUDGE_API_KEY", "OPENAI_API_KEY")  # the first that is set
LONGEST_REPLY = 1 << 20  # bytes
PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}  # statuses that another attempt may mend
SAME_FOR_ALL = {401: "set PMIND_JUDGE_API_KEY to a key that it takes", 404: "correct the judge's address or model"}


class ReplyCache:
    """Replies by the key of what was asked. Several processes may share a file.

    A reply is written whole or not at all: each is a transaction of its own.

    Args:
        path: the file; it and its folder are made when the first reply is kept.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, keys: Iterable[str]) -> dict[str, str]:
        """The replies that are kept for KEYS.

        Raises:
            DataError: the file is not a cache of replies.
        """
        if not self._path.exists():
            return {}
        with self._open() as base:
            found = (base.execute("SELECT key, reply FROM replies WHERE key = ?", (key,)).fetchone() for key in keys)
            return dict(row for row in found if row)

    def keep(self, key: str, reply: str) -> None:
        """Remember REPLY for KEY, instead of an earlier one if there is any.

        Raises:
            DataError: the file is not a cache of replies, or cannot be written.
        """
        with self._open() as base, base:  # the second commits
            base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, reply))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=PATIENCE_S)) as base:
                base.execute(TABLE)
                yield base
        except (sqlite3.Error, OSError) as error:
            raise DataError(
                f"{self._path}: not a usable cache of judgements ({error}). Give another path or move this file away"
            ) from error


class Failure(Exception):
    """Why there is no reply, whether another attempt may help, and how long the server asks to wait."""

    def __init__(self, reason: str, passing: bool = False, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.passing, self.wait_s = reason, passing, wait_s


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the key to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


class ChatEndpoint:
    """A server that speaks the OpenAI chat completions API.

    Args:
        base_url: of the API; where it has no path, ``/v1`` is added.
        timeout_s: seconds that one request may take.

    Raises:
        ParamsError: BASE_URL is not that of a web server, or the key in the environment cannot be sent.
    """

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._url = _completions_url(base_url)
        self._timeout_s = timeout_s
        self._opener = build_opener(_NoRedirect)
        self._headers = {"Content-Type": "application/json", "User-Agent": "pmind", **_authorization()}

    def reply(self, body: bytes) -> str:
        """Text of the completion of BODY.

        Raises:
            DecodingError: no request can succeed here.
            Failure: this one did not.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._opener.open(Request(self._url, body, self._headers), timeout=self._timeout_s) as response:
                return _content(_read(response, deadline))
        except HTTPError as error:
            with error:
                raise self._failure(error) from error
        except TimeoutError as error:
            raise Failure("timed out", passing=True) from error
        except (OSError, HTTPException) as error:  # URLError is an OSError
            timed_out = isinstance(getattr(error, "reason", None), TimeoutError)
            raise Failure("timed out" if timed_out else "no connection", passing=True) from error

    def _failure(self, error: HTTPError) -> Exception:
        if error.code in SAME_FOR_ALL:
            return DecodingError(f"{self._url} answered {error.code} {error.reason}; {SAME_FOR_ALL[error.code]}")
        return Failure(f"HTTP {error.code}", error.code in PASSING, _retry_after(error.headers.get("Retry-After", "")))


def _completions_url(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ParamsError(f"judge: {base_url!r} is no address of a server; give one such as http://127.0.0.1:8000/v1")
    return base_url.rstrip("/") + ("" if parts.path.strip("/") else "/v1") + "/chat/completions"


def _authorization() -> dict[str, str]:
    for name in KEY_VARIABLES:
        key = os.environ.get(name, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ParamsError(
                f"{name} holds characters that cannot be sent, such as a line end; set it to the key alone"
            )
        if key:
            return {"Authorization": f"Bearer {key}"}
    return {}


def _read(response: HTTPResponse, deadline: float) -> bytes:
    """The whole body; a server that sends it drop by drop times out too."""
    body = b""
    while chunk := response.read1():
        body += chunk
        if time.monotonic() > deadline:
            raise TimeoutError
        if len(body) > LONGEST_REPLY:
            break
    return body


def _content(body: bytes) -> str:
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Failure("not a chat completion", passing=True) from error
    if not isinstance(content, str) or not content.strip():
        raise Failure("empty reply")
    return content


def _retry_after(value: str) -> float | None:
    """Seconds to wait for, which the header gives as such or as a date (RFC 9110, section 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
