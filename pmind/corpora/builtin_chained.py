"""Built-in reading task whose questions build on each other: people, their homes, and what sells there.

As in the plain task, an answer directly follows the word that is asked about, and every role has
names, homes and wares of its own, so finding the one value of the right sort is enough. A dependent
question names another one of its group by its number. Alone it is a guess between the passage's four
homes, or wares; with the question and the answer it refers to, it is one step::

    passage   … The painter Livia sings. … For Livia Corvow is home. … In Corvow Cinano sells. …

    1. In Torvale, who is the painter?                   Livia    independent
    2. Where is the home of the person from question 1?  Corvow   dependent, needs 1
    3. What sells in the place from question 2?          Cinano   dependent, needs 2
    4. Where is the home of Moritz?                      Relsa    independent
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pmind.corpora.builtin_reading import ARTICLES, KINDS, OPENINGS, town_articles
from pmind.corpora.facts import TWINS, Split, values_of

PERSON, PLACE, WARE = (next(kind for kind in KINDS if kind.name == name) for name in ("person", "place", "ware"))
ROLES = PERSON.keys  # one person each, so that a question which depends on another has four answers to choose from
SORTS = {"name": PERSON, "home": replace(PLACE, keys=ROLES), "ware": replace(WARE, keys=ROLES)}
WHO_ASKED = (2, 3, 3, 4)
HOMES_ASKED = (1, 1, 2)
CHAIN_SHARE = 0.4  # of passages that tell wares, and have a question that depends on a dependent one

Asked = Literal["who", "home", "ware"]
QUESTIONS: dict[Asked, str] = {
    "who": "In {town}, who is the {key}?",
    "home": "Where is the home of {key}?",
    "ware": "What sells in {key}?",
}
REFERENCES: dict[Asked, str] = {"home": "the person from question {number}", "ware": "the place from question {number}"}


@dataclass(frozen=True)
class Person:
    """One of a town's people, as one of its passages has them."""

    role: str
    name: str
    home: str
    ware: str

    def key(self, asked: Asked) -> str:
        """The word that the answer directly follows in the passage."""
        return {"who": self.role, "home": self.name, "ware": self.home}[asked]

    def answer(self, asked: Asked) -> str:
        """What is said of the key."""
        return {"who": self.name, "home": self.home, "ware": self.ware}[asked]


@dataclass(frozen=True)
class Inquiry:
    """A question of a group, before its text and its number are known.

    Attributes:
        asked: what about.
        person: index of the person it is about.
        source: index of the inquiry that it refers to; ``None`` when it names the key itself.
    """

    asked: Asked
    person: int
    source: int | None = None


def chained_task(split: Split, count: int, seed: int | str) -> dict:
    """Write COUNT passages (rounded up to whole towns) with 4–8 questions each, at least one of them dependent.

    Returns:
        What ``json.load`` gives for a SQuAD v1.1 file: one article a town, its paragraphs the twins.
        Each question has a ``category`` and lists in ``needs`` the ids of those whose answers it needs.
    """
    rng = random.Random(f"{split}/chained/{seed}")

    def write(town: str, identity: str) -> list[dict]:
        plan, twins = _draw_plan(rng), _draw_twins(rng)
        return [_paragraph(town, people, plan, f"{identity}-{twin}", rng) for twin, people in enumerate(twins)]

    return town_articles(split, count, rng, write)


def _draw_plan(rng: random.Random) -> list[Inquiry]:
    """What a town is asked, in the order of the group."""
    inquiries = [Inquiry("who", person) for person in rng.sample(range(len(ROLES)), rng.choice(WHO_ASKED))]
    for source in rng.sample(range(len(inquiries)), rng.choice(HOMES_ASKED)):
        inquiries.append(Inquiry("home", inquiries[source].person, source))
    named: tuple[Asked, ...] = ("home",)
    if rng.random() < CHAIN_SHARE:
        inquiries.append(Inquiry("ware", inquiries[-1].person, len(inquiries) - 1))
        named = ("home", "ware")
    inquiries.append(Inquiry(rng.choice(named), rng.randrange(len(ROLES))))
    order = rng.sample(range(len(inquiries)), len(inquiries))
    moved = {old: new for new, old in enumerate(order)}
    return [Inquiry(entry.asked, entry.person, moved.get(entry.source)) for entry in (inquiries[old] for old in order)]


def _draw_twins(rng: random.Random) -> list[list[Person]]:
    drawn = {role: [rng.sample(values_of(sort, role), TWINS) for sort in SORTS.values()] for role in ROLES}
    return [[Person(role, *(values[twin] for values in drawn[role])) for role in ROLES] for twin in range(TWINS)]


def _paragraph(town: str, people: Sequence[Person], plan: Sequence[Inquiry], identity: str, rng: random.Random) -> dict:
    wares = any(inquiry.asked == "ware" for inquiry in plan)
    sentences = [sentence for person in people for sentence in _sentences(person, wares, rng)]
    context, starts = rng.choice(OPENINGS).format(town), {}
    for start, key, value, end in rng.sample(sentences, len(sentences)):
        context += f"{start} {key} "
        starts[key] = len(context)
        context += value + end
    asked = [_entry(inquiry, number, town, people, starts, identity) for number, inquiry in enumerate(plan)]
    return {"context": context.rstrip(), "qas": asked}


def _sentences(person: Person, wares: bool, rng: random.Random) -> list[tuple[str, str, str, str]]:
    """Start, key, value and end of each sentence about a person."""
    sentences = [
        (rng.choice(ARTICLES), person.role, person.name, rng.choice(PERSON.tails)),
        ("For", person.name, person.home, " is home. "),
    ]
    return [*sentences, ("In", person.home, person.ware, " sells. ")] if wares else sentences


def _entry(
    inquiry: Inquiry, number: int, town: str, people: Sequence[Person], starts: dict[str, int], identity: str
) -> dict:
    person, asked, source = people[inquiry.person], inquiry.asked, inquiry.source
    key = person.key(asked) if source is None else REFERENCES[asked].format(number=source + 1)
    return {
        "id": f"{identity}-{number}",
        "question": QUESTIONS[asked].format(town=town, key=key),
        "answers": [{"text": person.answer(asked), "answer_start": starts[person.key(asked)]}],
        "category": "independent" if source is None else "dependent",
        "needs": [] if source is None else [f"{identity}-{source}"],
    }
