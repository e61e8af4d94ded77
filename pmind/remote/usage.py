"""Tokens that a server counted, and what they cost."""

import threading
from dataclasses import dataclass

from pmind.errors import ParamsError
from pmind.remote.client import Completion

MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost, without discounts such as those for a prompt the server has in its cache.

    Attributes:
        prompt: read.
        completion: generated, reasoning included.
        currency: of both.
    """

    prompt: float
    completion: float
    currency: str = "USD"

    def __post_init__(self) -> None:
        if not min(self.prompt, self.completion) >= 0:
            raise ParamsError(
                f"prices of {self.prompt} and {self.completion}: give what a million tokens cost, 0 or more"
            )


@dataclass(frozen=True)
class Tally:
    """Replies of a kind and their tokens.

    Attributes:
        replies: how many.
        unmetered: how many of them came without a count; their tokens are missing below.
        prompt_tokens: read.
        completion_tokens: generated.
    """

    replies: int = 0
    unmetered: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def plus(self, completion: Completion) -> "Tally":
        """This and COMPLETION.

        Example:
            >>> Tally(1, 0, 40, 5).plus(Completion("Yes", "stop", 20, 2)).plus(Completion("No"))
            Tally(replies=3, unmetered=1, prompt_tokens=60, completion_tokens=7)
        """
        return Tally(
            self.replies + 1,
            self.unmetered + (completion.prompt_tokens is None),
            self.prompt_tokens + (completion.prompt_tokens or 0),
            self.completion_tokens + (completion.completion_tokens or 0),
        )

    def cost(self, prices: Prices) -> float:
        """At PRICES, in their currency.

        Example:
            >>> Tally(3, 0, 500_000, 250_000).cost(Prices(prompt=2, completion=8))
            3.0
        """
        return (self.prompt_tokens * prices.prompt + self.completion_tokens * prices.completion) / MILLION


@dataclass(frozen=True)
class Usage:
    """What an engine has asked for so far.

    Attributes:
        requests: sent, further attempts included.
        retries: further attempts.
        new: answers that came from the server.
        cached: answers that were at hand.
        rejected: empty replies, paid for and asked for again.
        prices: of the tokens, where they are known.
    """

    requests: int = 0
    retries: int = 0
    new: Tally = Tally()
    cached: Tally = Tally()
    rejected: Tally = Tally()
    prices: Prices | None = None

    @property
    def unmetered(self) -> int:
        """Replies without a count of tokens; costs leave them out."""
        return self.new.unmetered + self.cached.unmetered + self.rejected.unmetered

    @property
    def cost(self) -> float | None:
        """Of new and rejected replies; ``None`` without prices."""
        return self.prices and self.new.cost(self.prices) + self.rejected.cost(self.prices)

    @property
    def saved(self) -> float | None:
        """What the cached answers would have cost; ``None`` without prices."""
        return self.prices and self.cached.cost(self.prices)

    def summary(self) -> dict[str, int | float | str]:
        """Flat, for a report; costs only where there are prices.

        Example:
            >>> usage = Usage(2, 1, new=Tally(1, 0, 1000, 100), prices=Prices(10, 20))
            >>> {name: value for name, value in usage.summary().items() if value}
            {'requests': 2, 'retries': 1, 'new_replies': 1, 'new_prompt_tokens': 1000, 'new_completion_tokens': 100, \
'cost': 0.012, 'currency': 'USD'}
        """
        row: dict[str, int | float | str] = {"requests": self.requests, "retries": self.retries}
        for kind in ("new", "cached", "rejected"):
            row |= {f"{kind}_{name}": value for name, value in vars(getattr(self, kind)).items()}
        costs = {"cost": self.cost, "saved": self.saved, "currency": self.prices.currency} if self.prices else {}
        return row | costs


class Meter:
    """Counts replies by kind while several threads bring them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies = {"new": Tally(), "cached": Tally(), "rejected": Tally()}

    def add(self, kind: str, completion: Completion) -> None:
        """Count COMPLETION as KIND: ``new``, ``cached`` or ``rejected``."""
        with self._lock:
            self._tallies[kind] = self._tallies[kind].plus(completion)

    def read(self) -> dict[str, Tally]:
        """The tallies by kind."""
        with self._lock:
            return dict(self._tallies)
