"""Worlds of facts, from which the built-in passages and questions are written.

A *fact* is a key with a value ("painter" – "Orin"). Keys come in *families* whose values
share one pool, so that a sibling key's value is always a fair wrong answer. A *subject*
(a town, a patient) has *twin* passages that state the same keys with other values:

    subject Torvale      painter  baker   river   lake   …
    passage 0            Orin     Greta   Senn    Arle
    passage 1            Boris    Orin    Kelda   Mirr

Splits share no (key, value) pair and no subject. Every value of a test pair still occurs
in training, under the keys of another family: the pair is new, the word is not.
"""

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

Split = Literal["train", "val", "test"]

TWINS = 2  # passages a subject
SLICES = 6  # of a kind's values: one for test, one for val, the others for train
NAME_SHARES = {"test": (0.0, 0.15), "val": (0.15, 0.3), "train": (0.3, 1.0)}
FACTS_BY_FAMILY = ((2, 2, 2, 2), (3, 3, 2))  # ways to draw the 8 facts of a passage
QUESTION_COUNTS = (3, 4, 5, 6, 7, 7, 8, 8)


@dataclass(frozen=True)
class Kind:
    """Values of one sort, and all that is said of them.

    Attributes:
        name: of the sort, for people and for record fields.
        values: the words or terms.
        families: keys that take these values; keys of one family share pools. At least two
            families, so that every value is in some family's training pool.
        question: template with ``{key}`` and ``{name}`` (of the subject).
        tails: how a sentence goes on after the value, its separator included.
    """

    name: str
    values: tuple[str, ...]
    families: tuple[tuple[str, ...], ...]
    question: str
    tails: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """What one subject's twin passages say under one key.

    Attributes:
        kind: sort of the values.
        key: the word that a question names.
        values: one a twin, all different.
        wrong: values of the same pool that make fair wrong answers in every twin: those of a
            sibling key first (they stand in the twins too), then one that stands in neither.
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
    ranked = _ranked(tuple(names))
    low, high = NAME_SHARES[split]
    return ranked[round(low * len(ranked)) : round(high * len(ranked))]


@cache
def value_pool(kind: Kind, family: int, split: Split) -> tuple[str, ...]:
    """Values that the keys of a family take in a split.

    Family i tests on slice 2i of the values and validates on slice 2i + 1 (modulo their number),
    so two neighbouring families never withhold the same value from training.
    """
    held_out = {2 * family % SLICES: "test", (2 * family + 1) % SLICES: "val"}
    ranked = _ranked(kind.values)
    slices = (SLICES * rank // len(ranked) for rank in range(len(ranked)))
    return tuple(value for value, part in zip(ranked, slices, strict=True) if held_out.get(part, "train") == split)


def _draw_subject(kinds: Sequence[Kind], name: str, split: Split, rng: random.Random) -> Subject:
    sizes = rng.choice(FACTS_BY_FAMILY)
    drawn = zip(rng.sample(kinds, len(sizes)), sizes, strict=True)
    facts = [fact for kind, size in drawn for fact in _draw_family(kind, size, split, rng)]
    rng.shuffle(facts)
    return Subject(name, tuple(facts), rng.choice(QUESTION_COUNTS))


def _draw_family(kind: Kind, size: int, split: Split, rng: random.Random) -> list[Fact]:
    family = rng.randrange(len(kind.families))
    keys = rng.sample(kind.families[family], size)
    *stated, spare = rng.sample(value_pool(kind, family, split), TWINS * size + 1)
    by_key = [tuple(stated[TWINS * index : TWINS * (index + 1)]) for index in range(size)]
    # The next key of the family lends its values, so all wrong answers stand in some twin but one.
    return [Fact(kind, key, by_key[i], (*by_key[(i + 1) % size], spare)) for i, key in enumerate(keys)]


@cache
def _ranked(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(words, key=lambda word: hashlib.sha256(word.encode()).digest()))
