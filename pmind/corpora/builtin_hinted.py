"""Built-in reading task in which one question of a group tells whom its siblings are about.

A passage tells of a painter, a baker, a mayor and a doctor: name, home, and what they sell. All
questions of a group are about one of them; only the first to be asked says about whom. Alone, each of
the others is a guess between the passage's four names, homes or wares; who reads the siblings'
questions knows::

    passage   … Its painter Livia sings. … For painter Corvow is home. … By baker Cinano is sold. …

    1. Where is the home?                 hinted: the painter's, Corvow
    2. In Torvale, who is the painter?    independent: Livia

An answer directly follows the role that is asked about, and every role has values of its own, as in
the plain task.
"""

import random
from collections.abc import Mapping, Sequence

from pmind.corpora.builtin_chained import PERSON, ROLES, SORTS
from pmind.corpora.builtin_reading import ARTICLES, OPENINGS, town_articles
from pmind.corpora.facts import TWINS, Split, values_of

TOLD = {  # what is asked -> the question that says about whom
    "name": "In {town}, who is the {role}?",
    "home": "In {town}, where is the home of the {role}?",
    "ware": "In {town}, what is sold by the {role}?",
}
HINTED = {"name": "Who is that?", "home": "Where is the home?", "ware": "What is sold there?"}

Facts = Mapping[tuple[str, str], str]  # role and what is asked -> value


def hinted_task(split: Split, count: int, seed: int | str) -> dict:
    """Write COUNT passages (rounded up to whole towns) with 3 questions each, one of which names the role.

    Returns:
        What ``json.load`` gives for a SQuAD v1.1 file: one article a town, its paragraphs the twins.
        Each question has a ``category``, ``independent`` or ``hinted``; a hinted one has in ``needs`` the
        id of the question that tells.
    """
    rng = random.Random(f"{split}/hinted/{seed}")

    def write(town: str, identity: str) -> list[dict]:
        role, asked = rng.choice(ROLES), rng.sample(list(TOLD), len(TOLD))
        telling = rng.randrange(len(asked))
        return [
            _paragraph(town, facts, role, asked, telling, f"{identity}-{twin}", rng)
            for twin, facts in enumerate(_draw_twins(rng))
        ]

    return town_articles(split, count, rng, write)


def _draw_twins(rng: random.Random) -> list[Facts]:
    drawn = {(role, asked): rng.sample(values_of(sort, role), TWINS) for role in ROLES for asked, sort in SORTS.items()}
    return [{fact: values[twin] for fact, values in drawn.items()} for twin in range(TWINS)]


def _paragraph(
    town: str, facts: Facts, role: str, asked: Sequence[str], telling: int, identity: str, rng: random.Random
) -> dict:
    context, starts = _passage(town, facts, rng)
    return {
        "context": context,
        "qas": [
            {
                "id": f"{identity}-{number}",
                "question": TOLD[kind].format(town=town, role=role) if number == telling else HINTED[kind],
                "answers": [{"text": facts[role, kind], "answer_start": starts[role, kind]}],
                "category": "independent" if number == telling else "hinted",
                "needs": [] if number == telling else [f"{identity}-{telling}"],
            }
            for number, kind in enumerate(asked)
        ],
    }


def _passage(town: str, facts: Facts, rng: random.Random) -> tuple[str, dict[tuple[str, str], int]]:
    """The text, and where in it each value starts."""
    context, starts = rng.choice(OPENINGS).format(town), {}
    for role, asked in rng.sample(list(facts), len(facts)):
        start, end = {
            "name": (rng.choice(ARTICLES), rng.choice(PERSON.tails)),
            "home": ("For", " is home. "),
            "ware": ("By", " is sold. "),
        }[asked]
        context += f"{start} {role} "
        starts[role, asked] = len(context)
        context += facts[role, asked] + end
    return context.rstrip(), starts
