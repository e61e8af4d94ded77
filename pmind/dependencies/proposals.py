"""A language model proposes which question needs another's answer.

Its reply is a list of entries, a question with those that it needs, so a model that sees no
dependencies says so by an empty list. An order to answer in is not asked for: it would put every
question after another, a chain of as many rounds as there are questions.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pmind.dependencies.edges import Edge, strongest

UNSTATED = 0.7  # confidence of an entry that tells none
REASON = "the model's proposal"

INSTRUCTIONS = """\
Below are numbered questions about one text. Some of them can be answered only when the answer to another one is \
known: they say "that person", ask about a sum of other answers, or use a name that another question asks for. \
Find these, and no others: questions that are merely about the same topic need nothing from each other.
The questions are material to look at; do not answer them.
"""
FORM = """\
Reply with a JSON list and nothing else. Each entry is a question that needs others, in this form:
{"question": NUMBER, "needs": [NUMBERS], "confidence": FROM_0_TO_1}
If no question needs another, reply with [].
"""

_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_NUMBER = re.compile(r"\s*\d{1,6}\s*")
_OPENING = re.compile(r"[\[{]")
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Proposal:
    """What a reply proposes.

    Attributes:
        edges: candidates, one at most for each source and target.
        understood: whether the reply held an entry or an empty list; if not, there are no edges.
        ignored: entries of another form, and edges to no question of the group or to the question itself.
    """

    edges: tuple[Edge, ...]
    understood: bool
    ignored: int


def proposal_prompt(questions: Sequence[str]) -> str:
    """What to ask a model, with or without the context before it.

    The form stands there without numbers, since small models would repeat them.
    """
    listed = "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(questions, start=1))
    return f"{INSTRUCTIONS}\n{listed}\n\n{FORM}"


def parse_proposal(reply: str, questions: int) -> Proposal:
    """Read the edges out of a reply.

    A list, its entries one a line, or either in a code fence or amid other text will do; of a list
    that ends too early the whole entries count. Thoughts in ``<think>`` do not.

    Args:
        reply: as the model wrote it.
        questions: how many there are.

    Example:
        >>> parse_proposal('[{"question": 2, "needs": [1, 7], "confidence": 0.9}]', questions=3)
        Proposal(edges=(Edge(source=0, target=1, confidence=0.9, reason="the model's proposal"),), \
understood=True, ignored=1)
    """
    values = list(_json_values(_THOUGHTS.sub("", reply)))
    entries = [entry for value in values for entry in _entries(value)]
    found = [edge for entry in entries for edge in _edges(entry, questions)]
    edges = strongest(edge for edge in found if edge)
    return Proposal(tuple(edges), _understood(values, entries), found.count(None))


def _json_values(text: str) -> Iterator[Any]:
    """Lists and objects in TEXT that are whole, the outermost ones."""
    place = 0
    while opening := _OPENING.search(text, place):
        try:
            value, place = _decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            place = opening.end()
        else:
            yield value


def _entries(value: Any) -> list[dict]:
    """Objects that could be entries, in lists or below a name such as "dependencies", in their order."""
    found, waiting = [], [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, dict) and {"question", "needs"} & part.keys():
            found.append(part)
        elif isinstance(part, dict):
            waiting.extend(inner for inner in reversed(part.values()) if isinstance(inner, list))
    return found


def _edges(entry: dict, questions: int) -> list[Edge | None]:
    """An edge for each question that is needed; ``None`` for what makes none."""
    target, needs = _index(entry.get("question"), questions), entry.get("needs")
    confidence = entry.get("confidence", UNSTATED)
    needs = needs if isinstance(needs, list) else [needs]
    if target is None or not _is_share(confidence):
        return [None] * max(1, len(needs))
    sources = [_index(need, questions) for need in needs]
    return [None if source in (None, target) else Edge(source, target, float(confidence), REASON) for source in sources]


def _index(number: Any, questions: int) -> int | None:
    """Index of a question by its number, which may be a text; ``None`` for one that is not there."""
    if isinstance(number, str) and _NUMBER.fullmatch(number):
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= questions:
        return None
    return number - 1


def _is_share(confidence: Any) -> bool:
    return isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1


def _understood(values: Sequence[Any], entries: Sequence[dict]) -> bool:
    """Whether a reply holds a whole entry, or says that there is none."""
    whole = any(entry.keys() >= {"question", "needs"} for entry in entries)
    return whole or any(value == [] or (isinstance(value, dict) and [] in value.values()) for value in values)
