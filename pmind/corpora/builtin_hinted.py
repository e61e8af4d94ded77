"""Built-in reading task in which one question of a group tells what its siblings are about.

A passage has an old painter and a young one, an old baker and a young one. All questions of a group
are about the old, or all about the young; one of them says so. Alone, each of the others is a toss
of a coin; who reads the siblings' questions knows::

    passage   … The old painter Livia sings. … The young painter Moritz waits. …

    1. In Torvale, who is the baker?        hinted: of the two, the young one
    2. In Torvale, who is the young painter?  independent: Moritz
"""

import random
from collections.abc import Sequence

from pmind.corpora.builtin_chained import PERSON, ROLES
from pmind.corpora.builtin_reading import ARTICLES, OPENINGS, town_articles
from pmind.corpora.facts import TWINS, Split, values_of

MARKS = ("old", "young", "tall", "short", "quiet", "merry")
MARKED = 2  # people of each role in a passage, told apart by their marks
ROLES_ASKED = (3, 3, 4)
QUESTION = "In {town}, who is the {role}?"

People = dict[tuple[str, str], str]  # role and mark -> name


def hinted_task(split: Split, count: int, seed: int | str) -> dict:
    """Write COUNT passages (rounded up to whole towns) with 3–4 questions each, one of which has the mark.

    Returns:
        What ``json.load`` gives for a SQuAD v1.1 file: one article a town, its paragraphs the twins.
        Each question has a ``category``, ``independent`` or ``hinted``; a hinted one has in ``needs`` the
        id of the question that tells.
    """
    rng = random.Random(f"{split}/hinted/{seed}")

    def write(town: str, identity: str) -> list[dict]:
        marks, asked = rng.sample(MARKS, MARKED), rng.sample(ROLES, rng.choice(ROLES_ASKED))
        telling = rng.randrange(len(asked))
        twins = enumerate(_draw_twins(marks, rng))
        return [_paragraph(town, people, asked, telling, marks[0], f"{identity}-{twin}", rng) for twin, people in twins]

    return town_articles(split, count, rng, write)


def _paragraph(
    town: str, people: People, asked: Sequence[str], telling: int, mark: str, identity: str, rng: random.Random
) -> dict:
    context, starts = _passage(town, people, rng)
    return {"context": context, "qas": _questions(town, asked, telling, mark, people, starts, identity)}


def _draw_twins(marks: Sequence[str], rng: random.Random) -> list[People]:
    names = {role: rng.sample(values_of(PERSON, role), TWINS * len(marks)) for role in ROLES}
    return [{(role, mark): names[role].pop() for role in ROLES for mark in marks} for _ in range(TWINS)]


def _passage(town: str, people: People, rng: random.Random) -> tuple[str, People]:
    """The text, and where in it each name starts."""
    context, starts = rng.choice(OPENINGS).format(town), {}
    for role, mark in rng.sample(list(people), len(people)):
        context += f"{rng.choice(ARTICLES)} {mark} {role} "
        starts[role, mark] = len(context)
        context += people[role, mark] + rng.choice(PERSON.tails)
    return context.rstrip(), starts


def _questions(
    town: str, asked: Sequence[str], telling: int, mark: str, people: People, starts: dict, identity: str
) -> list[dict]:
    return [
        {
            "id": f"{identity}-{number}",
            "question": QUESTION.format(town=town, role=f"{mark} {role}" if number == telling else role),
            "answers": [{"text": people[role, mark], "answer_start": starts[role, mark]}],
            "category": "independent" if number == telling else "hinted",
            "needs": [] if number == telling else [f"{identity}-{telling}"],
        }
        for number, role in enumerate(asked)
    ]
