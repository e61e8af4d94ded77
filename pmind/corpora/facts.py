"""Worlds of facts, from which the built-in passages and questions are written.

A *fact* is a key with a value ("painter" – "Orin"); every key has values of its own. A
*subject* (a town, a patient) has *twin* passages that state the same keys with other values:

    subject Torvale      painter  river   inn      dog   …
    passage 0            Orin     Senna   Anchor   Rusty
    passage 1            Boris    Kelda   Lantern  Misty

Splits share no subject, so they share no combination of a subject with a value and no
question with its answer. Values are drawn alike in all splits: a split of the values
themselves would teach a model which ones never occur, and so punish it for reading.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

Split = Literal["train", "val", "test"]

TWINS = 2  # passages a subject
FACTS = 8  # a passage
OPTIONS = 5  # of a multiple-choice question
NAME_SHARES = {"test": (0.0, 0.15), "val": (0.15, 0.3), "train": (0.3, 1.0)}
QUESTION_COUNTS = (3, 4, 5, 6, 7, 7, 8, 8)


@dataclass(frozen=True)
class Kind:
    """Values of one sort, and all that is said of them.

    Attributes:
        name: of the sort, for people and for record fields.
        values: the words or terms, shared out among the keys.
        keys: that take them.
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
        wrong: further values of the key, which stand in no twin.
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
        split: whose names these are; part of the seed.
        count: number of subjects.
        seed: says which of the possible subjects.
    """
    rng = random.Random(f"{split}/{seed}")
    order = rng.sample(names, len(names))
    return [_draw_subject(kinds, order[index % len(order)], rng) for index in range(count)]


def names_of(names: Iterable[str], split: Split) -> tuple[str, ...]:
    """Names that belong to a split, in an order of their own."""
    ranked = _shuffled(names)
    low, high = NAME_SHARES[split]
    return ranked[round(low * len(ranked)) : round(high * len(ranked))]


@cache
def values_of(kind: Kind, key: str) -> tuple[str, ...]:
    """The key's own lot of its kind's values."""
    return _shuffled(kind.values)[kind.keys.index(key) :: len(kind.keys)]


def _draw_subject(kinds: Sequence[Kind], name: str, rng: random.Random) -> Subject:
    keys = [(kind, key) for kind in kinds for key in kind.keys]
    facts = tuple(_draw_fact(kind, key, rng) for kind, key in rng.sample(keys, FACTS))
    return Subject(name, facts, rng.choice(QUESTION_COUNTS))


def _draw_fact(kind: Kind, key: str, rng: random.Random) -> Fact:
    drawn = tuple(rng.sample(values_of(kind, key), OPTIONS))
    return Fact(kind, key, drawn[:TWINS], drawn[TWINS:])


def _shuffled(words: Iterable[str]) -> tuple[str, ...]:
    """WORDS in an order that is fixed but tells nothing of them."""
    return tuple(sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest()))
