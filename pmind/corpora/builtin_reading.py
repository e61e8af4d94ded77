"""Built-in English reading task: towns and their facts, in SQuAD v1.1's schema.

Every passage is about a town and says eight things of it; the value stands directly after
the word that a question names ("The painter Orin …", "In Torvale, who is the painter?").
"""

import random
from collections.abc import Callable

from pmind.corpora.facts import TWINS, Kind, Split, Subject, draw_subjects, names_of


def _compounds(starts: str, ends: str) -> tuple[str, ...]:
    return tuple(start + end for start in starts.split() for end in ends.split())


PEOPLE = """
Alma Anton Arlo Bela Boris Bruno Cara Celia Clara Conrad Cora Dana Daria Denis Dora Edgar Edith Elena Elias Ella
Emil Emma Enzo Erik Erna Esme Ezra Fanny Felix Fiona Flora Frida Gerda Gideon Gina Greta Gustav Hanna Harald Hazel
Hector Heidi Helga Henry Hilda Hugo Ida Igor Inga Irene Isaac Ivan Jakob Jana Janet Jasper Joan Jonas Josef Judith
Julia Karin Karl Katja Klaus Lara Laura Leo Lena Lidia Linda Livia Lorenz Lotte Lucas Luisa Magda Malte Marco Maria
Martha Max Mina Mira Moritz Nadia Nina Nora Norbert Olga Oliver Orin Oscar Otto Paula Pavel Petra Philip Rainer Rita
Robert Rolf Rosa Ruben Ruth Sabine Samuel Silvia Simon Sofia Stefan Tamar Theo Thomas Tilda Tobias Ulla Vera Viktor
Walter Wanda Willem Yara Zoe
"""
SIGNS = """
Anchor Arrow Beacon Bishop Blossom Bonnet Bugle Button Castle Cedar Cherry Clover Compass Copper Coral Cricket Crown
Crystal Cypress Dagger Dolphin Dragon Eagle Ember Emerald Falcon Feather Fiddle Garland Garnet Giant Griffin Hammer
Harp Harvest Hazelnut Helmet Heron Hornet Icicle Ivory Jewel Juniper Kettle Kingfisher Knight Lantern Laurel Lily Lion
Magnet Magpie Mantle Marble Mirror Moon Needle Nettle Oak Olive Onyx Orchid Otter Pearl Pebble Pelican Pepper Pigeon
Pilgrim Plough Plum Quill Rainbow Raven Ribbon Rocket Ruby Saddle Sapphire Scarlet Shield Silver Sparrow Star Sunrise
Sword Thistle Thunder Tiger Torch Trumpet Tulip Unicorn Velvet Violet Walnut Whistle Willow Zephyr
"""
PETS = """
Acorn Apollo Bandit Banjo Barley Basil Bingo Biscuit Bramble Brandy Bubbles Bumble Candy Caper Casper Chester Cinder
Cinnamon Cloud Cobalt Cocoa Comet Cookie Cosmo Dandy Dexter Digger Domino Dusty Echo Fizz Flash Freckle Fudge Gadget
Ginger Gizmo Goblin Gulliver Gypsy Hobbit Honey Humbug Inky Jazz Jester Jigsaw Juno Kiwi Lucky Magic Mango Maple Merlin
Midnight Milo Misty Mocha Muffin Nacho Nimbus Noodle Nugget Nutmeg Oreo Paprika Patch Peanut Pickle Pippin Pixie Pluto
Pogo Poppy Pudding Puzzle Rascal Ringo Rocky Rusty Sable Salty Scout Shadow Skipper Smoky Snowy Socks Sooty Sparky
Spike Storm Sugar Taffy Tango Teddy Tinker Toffee Twinkle Waffles Whisky Widget Wizard Ziggy
"""
PLACES = _compounds(
    "Arn Bre Cald Dov Elv Fars Gwen Hask Ist Jor Kel Lund Morv Nask Orl Pren Quar Ruhn Senn Thar Ulv Vind Wex Ysk"
    " Zav Brog Corv Drum Esk Fenn Glim Hjal Irv Jass Krag Lomb Mirr Nev Olsk Pav",
    "a er ow",
)
WARES = _compounds(
    "Ambr Bast Cin Delf Engal Fion Galt Hess Imbr Jask Kor Lir Mand Navr Ombr Pirot Quel Rond Solv Trem Umbr Vasc"
    " Wint Xer Yol Zand Bolz Chav Dorn Elmir Fask Gord Hulm Jund Kest Lavr",
    "ano elle it",
)
TOWNS = _compounds(
    " ".join(
        _compounds(
            "Ash Bar Chel Dal East Frel Gran Hart Ken Lang Mel Nor Oak Pel Rav Stan Tor Up Wal Yar"
            " Bram Col Dun Ever Fair Glen Hol Mar Red Sel",
            "ba de fi go ka le mi no pe ra so va",
        )
    ),
    "bury dale field ford ham ley ton wick",
)

KINDS = (
    Kind(
        "person",
        tuple(PEOPLE.split()),
        ("painter", "baker", "mayor", "doctor"),
        "In {name}, who is the {key}?",
        (" smiles. ", " sings. ", " waits. "),
    ),
    Kind(
        "place",
        PLACES,
        ("river", "lake", "hill", "forest"),
        "Near {name}, what is the {key}?",
        (" shines. ", " freezes. ", " sleeps. "),
    ),
    Kind(
        "house",
        tuple(SIGNS.split()),
        ("inn", "theatre", "chapel", "ship"),
        "In {name}, what is the {key}?",
        (" stands. ", " shines. ", " closed. "),
    ),
    Kind(
        "animal",
        tuple(PETS.split()),
        ("dog", "horse", "cat", "parrot"),
        "In {name}, which is the {key}?",
        (" sleeps. ", " runs. ", " waits. "),
    ),
    Kind(
        "ware",
        WARES,
        ("cheese", "wine", "cake", "soup"),
        "From {name}, what is the {key}?",
        (" sells. ", " pleases. ", " won. "),
    ),
)
OPENINGS = ("{} is a small town. ", "{} lies in the north. ", "Few people know {}. ")
ARTICLES = ("The", "Its")


def reading_task(split: Split, count: int, seed: int) -> dict:
    """Write COUNT passages (rounded up to whole towns) with 3–8 questions each.

    Returns:
        What ``json.load`` gives for a SQuAD v1.1 file: one article a town, its paragraphs the twins.
    """
    articles: dict[str, dict] = {}
    for number, town in enumerate(reading_subjects(split, -(-count // TWINS), f"reading/{seed}")):
        article = articles.setdefault(town.name, {"title": town.name, "paragraphs": []})
        rng = random.Random(f"paragraphs/{split}/{seed}/{number}")
        article["paragraphs"] += [_paragraph(town, twin, f"{split}-{number}-{twin}", rng) for twin in range(TWINS)]
    return {"version": "builtin", "data": list(articles.values())}


def town_articles(split: Split, count: int, rng: random.Random, write: Callable[[str, str], list[dict]]) -> dict:
    """A SQuAD file of COUNT passages (rounded up to whole towns) about a split's towns, in an order that RNG draws.

    Args:
        split: whose towns.
        count: of passages, as many for each town as it has twins.
        rng: draws the order before anything is written.
        write: paragraphs of a town, from its name and what their questions' ids begin with.
    """
    towns = names_of(TOWNS, split)
    order = rng.sample(towns, len(towns))
    articles: dict[str, dict] = {}
    for number in range(-(-count // TWINS)):
        town = order[number % len(order)]
        article = articles.setdefault(town, {"title": town, "paragraphs": []})
        article["paragraphs"] += write(town, f"{split}-{number}")
    return {"version": "builtin", "data": list(articles.values())}


def reading_subjects(split: Split, count: int, seed: str) -> list[Subject]:
    """Draw COUNT towns of a split."""
    return draw_subjects(KINDS, names_of(TOWNS, split), split, count, seed)


def reading_sentences(town: Subject, twin: int, rng: random.Random) -> list[tuple[str, int]]:
    """Write one passage of a town.

    Returns:
        Sentences in the order of the town's facts, each with the index of its value's first
        character, followed by the opening sentence with index 0.
    """
    sentences = []
    for fact in town.facts:
        start = f"{rng.choice(ARTICLES)} {fact.key} "
        sentences.append((start + fact.values[twin] + rng.choice(fact.kind.tails), len(start)))
    return [*sentences, (rng.choice(OPENINGS).format(town.name), 0)]


def _paragraph(town: Subject, twin: int, identity: str, rng: random.Random) -> dict:
    *sentences, (opening, _) = reading_sentences(town, twin, rng)
    context, starts = opening, {}
    for index in rng.sample(range(len(sentences)), len(sentences)):
        sentence, start = sentences[index]
        starts[town.facts[index].key] = len(context) + start
        context += sentence
    questions = [
        {
            "id": f"{identity}-{number}",
            "question": text,
            "answers": [{"text": fact.values[twin], "answer_start": starts[fact.key]}],
        }
        for number, (fact, text) in enumerate(town.questions())
    ]
    return {"context": context.rstrip(), "qas": questions}
