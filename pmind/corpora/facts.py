"""Worlds of facts, from which the built-in passages and questions are written.

A *fact* is a key with a value ("painter" – "Orin"). Keys of one *kind* (people, rivers and
lakes, …) take the same values, and a passage states at least two of a kind, so that a value
of the right kind is not yet the right answer. A *subject* (a town, a patient) has *twin*
passages that state the same keys with other values:

    subject Torvale      painter  baker   river   lake   …
    passage 0            Orin     Greta   Senn    Arle
    passage 1            Boris    Orin    Kelda   Mirr

Splits share no (key, value) pair and no subject. Every value of a test pair still occurs
in training, under other keys: the pair is new, the word is not.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

Split = Literal["train", "val", "test"]

TWINS = 2  # passages a subject
SHARES = {"test": (0.0, 0.15), "val": (0.15, 0.3), "train": (0.3, 1.0)}  # of names, and of each key's values
FACTS_BY_KIND = ((2, 2, 2, 2), (3, 3, 2))  # ways to draw the 8 facts of a passage
QUESTION_COUNTS = (3, 4, 5, 6, 7, 7, 8, 8)


@dataclass(frozen=True)
class Kind:
    """Values of one sort, and all that is said of them.

    Attributes:
        name: of the sort, for people and for record fields.
        values: the words or terms.
        keys: that take these values; at least three.
        question: template with ``{key}`` and ``{name}`` (of the subject).
        tails: how a sentence goes on after the value, its separator included.
    """

    name: str
    values: tuple[str, ...]
    keys: tuple[str, ...]
    question: str
    tails: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """What one subject's twin passages say under one key.

    Attributes:
        kind: sort of the values.
        key: the word that a question names.
        values: one a twin, all different.
        wrong: fair wrong answers in every twin: the values of another key of the kind first
            (they stand in the twins too), then one of the key's own that stands in neither.
    """

    kind: Kind
    key: str
    values: tuple[str, ...]
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """A town or patient with its facts; questions are asked about the first ``asked`` of them."""

    name: str
    facts: tuple[Fact, ...]
    asked: int

    def questions(self) -> list[tuple[Fact, str]]:
        """Facts asked about, each with its question's text, which is the same for all twins."""
        return [(fact, fact.kind.question.format(key=fact.key, name=self.name)) for fact in self.facts[: self.asked]]


def draw_subjects(kinds: Sequence[Kind], names: Sequence[str], split: Split, count: int, seed: str) -> list[Subject]:
    """Draw COUNT subjects of a split; the same arguments give the same subjects in every process.

    Args:
        kinds: sorts of facts to draw from.
        names: the split's names, see :func:`names_of`; used again in turn when COUNT is larger.
        split: whose (key, value) pairs to use.
        count: number of subjects.
        seed: says which of the possible subjects.
    """
    rng = random.Random(f"{split}/{seed}")
    order = rng.sample(names, len(names))
    return [_draw_subject(kinds, order[index % len(order)], split, rng) for index in range(count)]


def names_of(names: Iterable[str], split: Split) -> tuple[str, ...]:
    """Names that belong to a split, in an order of their own."""
    return _share(tuple(names), "", split)


@cache
def value_pool(kind: Kind, key: str, split: Split) -> tuple[str, ...]:
    """Values that a key takes in a split.

    Each key draws its own lot of the kind's values. If all keys withheld the same values from
    training, a model would learn which ones never occur, and rule them out in the test.
    """
    return _share(kind.values, key, split)


def _draw_subject(kinds: Sequence[Kind], name: str, split: Split, rng: random.Random) -> Subject:
    sizes = rng.choice(FACTS_BY_KIND)
    drawn = zip(rng.sample(kinds, len(sizes)), sizes, strict=True)
    facts = [fact for kind, size in drawn for fact in _draw_kind(kind, size, split, rng)]
    rng.shuffle(facts)
    return Subject(name, tuple(facts), rng.choice(QUESTION_COUNTS))


def _draw_kind(kind: Kind, size: int, split: Split, rng: random.Random) -> list[Fact]:
    keys = rng.sample(kind.keys, size)
    taken: set[str] = set()
    stated = [_draw_values(kind, key, TWINS, split, taken, rng) for key in keys]
    spares = [_draw_values(kind, key, 1, split, taken, rng) for key in keys]
    # The next key lends its values, so all wrong answers but the last stand in some twin.
    return [Fact(kind, key, stated[i], (*stated[(i + 1) % size], *spares[i])) for i, key in enumerate(keys)]


def _draw_values(
    kind: Kind, key: str, count: int, split: Split, taken: set[str], rng: random.Random
) -> tuple[str, ...]:
    """Draw values of a key that no fact of the subject has yet."""
    drawn = rng.sample([value for value in value_pool(kind, key, split) if value not in taken], count)
    taken.update(drawn)
    return tuple(drawn)


def _share(words: tuple[str, ...], salt: str, split: Split) -> tuple[str, ...]:
    ranked = sorted(words, key=lambda word: hashlib.sha256(f"{salt}/{word}".encode()).digest())
    low, high = SHARES[split]
    return tuple(ranked[round(low * len(ranked)) : round(high * len(ranked))])
