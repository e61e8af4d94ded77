"""A model behind an OpenAI-compatible server as an engine: every prompt one request, every answer kept on disk."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pmind.errors import DataError, DecodingError
from pmind.methods.rounds import Ask, Reply
from pmind.remote.bodies import LengthField, Wording
from pmind.remote.cache import ReplyCache
from pmind.remote.client import Client, Completion, Failure
from pmind.remote.requests import Limits, Requests
from pmind.remote.usage import Meter, Prices, Usage

KEY_VARIABLES = ("PMIND_API_KEY", "OPENAI_API_KEY")  # the first that is set
WAYS_OUT = {
    401: "set PMIND_API_KEY to a key that it takes",
    402: "add credit there, then run again: answers that came are kept",
    403: "ask for a key that may use this model, or name another",
    404: "correct the address or the model's name",
}
CUT_SHORT = {"length", "max_tokens", "model_length"}  # what servers call running out of tokens


class ApiEngine:
    """Answers prompts by a model behind a server; implements ``pmind.methods.rounds.Engine``.

    The API key is ``PMIND_API_KEY`` of the environment, else ``OPENAI_API_KEY``; without one none is sent.
    An answer is asked for once: equal prompts share it, also when the temperature is not 0, and a repeat of
    a run that was killed asks only for what is missing.

    Args:
        base_url: of the API, such as ``https://openrouter.ai/api/v1``; where it has no path, ``/v1`` is added.
        model: its name there.
        cache: file of the answers, by the hash of all that was asked: address, model and the request's body.
        chat: chat completions, the history as turns; else text completions of context and flat prompt.
        workers: most requests under way at once.
        attempts: most requests for one answer.
        timeout_s: seconds that one request may take.
        backoff_s: wait before the second attempt, twice as long before each further one, less up to a
            half by chance. A server's ``Retry-After`` counts instead. No wait is longer than a minute.
        prices: of a million tokens, for the costs in ``usage``.
        temperature: of sampling; ``None`` leaves it to the server, as some reasoning models demand.
        length_field: what the server calls the most tokens of an answer.
        extra: further fields of every request, such as those that switch reasoning off.
        allow_empty: take a reply without text for an answer, where a model may rightly say nothing;
            else it counts as trouble that may pass.
        pause: waits that many seconds; the default stops waiting when asking is given up.

    Raises:
        ParamsError: BASE_URL is not that of a web server or holds a key, the key cannot be sent, EXTRA
            holds what is set here, or a number makes no sense.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        cache: Path,
        *,
        chat: bool = True,
        workers: int = 8,
        attempts: int = 6,
        timeout_s: float = 120.0,
        backoff_s: float = 1.0,
        prices: Prices | None = None,
        temperature: float | None = 0,
        length_field: LengthField = "max_tokens",
        extra: Mapping[str, Any] | None = None,
        allow_empty: bool = False,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        limits = Limits(workers, attempts, timeout_s, backoff_s)
        client = Client(base_url, timeout_s, chat=chat, key_variables=KEY_VARIABLES, ways_out=WAYS_OUT)
        self._url = client.url
        self._wording = Wording(model, chat, temperature, length_field, extra or {})
        self._cache = ReplyCache(cache)
        self._requests = Requests(client, self._cache, limits, model, pause)
        self._prices, self._allow_empty = prices, allow_empty
        self._meter = Meter()

    @property
    def usage(self) -> Usage:
        """Requests, tokens and costs since the engine was made."""
        return Usage(self._requests.sent, self._requests.repeated, prices=self._prices, **self._meter.read())

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        """Replies to every prompt of every one of ASKS, in their order.

        Raises:
            DecodingError: the server takes no request at all (wrong key, address or model), or some
                prompts could not be answered. Answers that came are kept.
            DataError: the cache is of another kind or cannot be written.
        """
        bodies = [self._wording.body(ask, prompt) for ask in asks for prompt in ask.prompts]
        keys = [self._key(body) for body in bodies]
        found = self._cache.find(dict.fromkeys(keys))
        waiting = {key: body for key, body in zip(keys, bodies, strict=True) if key not in found}
        fresh, failures = self._requests.ask_all(waiting, self._accept)
        completions = {key: self._read(kept) for key, kept in (found | fresh).items()}
        self._count_cached(keys, fresh, completions)
        if failures:
            raise self._missing(keys, failures)
        each = iter(keys)
        return [[_reply(completions[next(each)], ask.stop) for _ in ask.prompts] for ask in asks]

    def _key(self, body: Mapping[str, Any]) -> str:
        asked = json.dumps({"url": self._url, "body": body}, sort_keys=True)
        return hashlib.sha256(asked.encode()).hexdigest()

    def _accept(self, completion: Completion) -> str:
        if not completion.text.strip() and not self._allow_empty:
            self._meter.add("rejected", completion)
            if completion.finish_reason in CUT_SHORT:  # it would be again, at the same cost
                raise Failure(
                    "no text within max_new_tokens", detail="raise them, or switch reasoning off through extra"
                )
            raise Failure("empty reply", passing=True, detail="set allow_empty if it may rightly say nothing")
        self._meter.add("new", completion)
        return json.dumps(asdict(completion))

    def _read(self, kept: str) -> Completion:
        try:
            return Completion(**json.loads(kept))
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self._cache.path}: holds an answer of another kind ({error}). Give another path or move it away"
            ) from error

    def _count_cached(
        self, keys: Sequence[str], fresh: Mapping[str, str], completions: Mapping[str, Completion]
    ) -> None:
        """Count answers but those that were asked for now, which are counted the first time they stand here."""
        counted = set(fresh)
        for key in keys:
            if key in counted:
                counted.remove(key)
            elif key in completions:
                self._meter.add("cached", completions[key])

    def _missing(self, keys: Sequence[str], failures: Mapping[str, Failure]) -> DecodingError:
        missing = [failures[key] for key in keys if key in failures]
        details = {failure.reason: f" ({failure.detail})" if failure.detail else "" for failure in missing}
        reasons = Counter(failure.reason for failure in missing).most_common()
        told = ", ".join(f"{count} x {reason}{details[reason]}" for reason, count in reasons)
        return DecodingError(
            f"{self._url}: {len(missing)} of {len(keys)} prompts have no answer: {told}. "
            f"The others are kept in {self._cache.path}; run again to ask only for these"
        )


def _reply(completion: Completion, stop: Sequence[str]) -> Reply:
    ends = [
        place for place in (completion.text.find(text) for text in stop) if place >= 0
    ]  # some servers leave them in
    cut_short = completion.finish_reason in CUT_SHORT and not ends
    return Reply(
        completion.text[: min(ends, default=None)],
        "length" if cut_short else "stop",
        completion.prompt_tokens or 0,
        completion.completion_tokens or 0,
    )
