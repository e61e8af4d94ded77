"""Many requests under way at once: repeated where trouble may pass, each reply kept the moment it comes."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from random import SystemRandom
from typing import Any

from tqdm import tqdm

from pmind.errors import ParamsError
from pmind.remote.cache import ReplyCache
from pmind.remote.client import Client, Completion, Failure

LONGEST_WAIT_S = 60.0  # before another attempt, whatever the server asks for

_jitter = SystemRandom()  # leaves the seeded generators of a run alone


@dataclass(frozen=True)
class Limits:
    """How much is asked of a server, and for how long.

    Attributes:
        workers: most requests under way at once.
        attempts: most requests for one reply.
        timeout_s: seconds that one request may take.
        backoff_s: wait before the second attempt, twice as long before each further one, less up to a
            half by chance. A server's ``Retry-After`` counts instead. No wait is longer than a minute.
    """

    workers: int
    attempts: int
    timeout_s: float
    backoff_s: float

    def __post_init__(self) -> None:
        if min(self.workers, self.attempts) < 1 or self.timeout_s <= 0 or self.backoff_s < 0:
            raise ParamsError("a server needs workers and attempts of at least 1, timeout_s > 0 and backoff_s >= 0")


class Requests:
    """Asks a server for what a cache does not hold.

    Args:
        client: sends one request.
        cache: where replies go.
        limits: the client's time-out stands in them, too.
        title: of the progress bar.
        pause: waits that many seconds; the default stops waiting when asking is given up.

    Attributes:
        sent: how many requests were sent since this was made.
        repeated: how many of them were further attempts.
    """

    def __init__(
        self,
        client: Client,
        cache: ReplyCache,
        limits: Limits,
        title: str,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self.sent, self.repeated = 0, 0
        self._client, self._cache, self._limits, self._title = client, cache, limits, title
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._pause = pause or self._given_up.wait

    def ask_all(
        self, bodies: Mapping[str, Mapping[str, Any]], accept: Callable[[Completion], str]
    ) -> tuple[dict[str, str], dict[str, Failure]]:
        """What was made of the replies to BODIES and kept, and why others are missing, by the keys of BODIES.

        Args:
            bodies: what to send, by the key under which the cache keeps the reply.
            accept: what to keep of a completion; raises ``Failure`` where it will not do. Several
                threads call it.

        Raises:
            DecodingError: the server takes no request at all. Replies that came before are kept.
            DataError: the cache cannot be written.
        """
        replies, failures = {}, {}
        if bodies:
            self._cache.check_writable()
        self._given_up.clear()
        pool = ThreadPoolExecutor(self._limits.workers)
        try:
            keys = {pool.submit(self._ask, key, body, accept): key for key, body in bodies.items()}
            for done in tqdm(as_completed(keys), total=len(keys), desc=self._title, unit="answer", disable=None):
                try:
                    replies[keys[done]] = done.result()
                except Failure as failure:
                    failures[keys[done]] = failure
        finally:  # requests that are under way are paid for: they end, and are kept
            self._given_up.set()
            pool.shutdown(cancel_futures=True)
        return replies, failures

    def _ask(self, key: str, body: Mapping[str, Any], accept: Callable[[Completion], str]) -> str:
        """A reply, kept here, so that it stays when another request or a signal ends the run."""
        try:
            reply = self._insist(body, accept)
            self._cache.keep(key, reply)
        except Failure:
            raise
        except Exception:
            self._given_up.set()  # at once, so that no worker sends another
            raise
        return reply

    def _insist(self, body: Mapping[str, Any], accept: Callable[[Completion], str]) -> str:
        for attempt in count(1):
            self._count(attempt)
            try:
                return accept(self._client.complete(body))
            except Failure as failure:
                if not failure.passing or attempt == self._limits.attempts:
                    raise
                own = self._limits.backoff_s * 2 ** (attempt - 1) * _jitter.uniform(0.5, 1)
                self._pause(min(own if failure.wait_s is None else failure.wait_s, LONGEST_WAIT_S))
        raise AssertionError("count never ends")

    def _count(self, attempt: int) -> None:
        with self._lock:
            if self._given_up.is_set():
                raise Failure("given up")
            self.sent += 1
            self.repeated += attempt > 1
