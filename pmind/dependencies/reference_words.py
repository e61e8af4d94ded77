"""Questions that mean another by a word: "that person", "the latter", "she", 该, 它.

- A demonstrative points to the nearest question that has its noun, else to one that asks for such a
  thing ("that city" to one that asks where), else to the question before.
- A pronoun points to the question before the run of questions that use it: three questions about
  "her" all wait for the one that introduces her, not for each other. Of persons, a question that
  asks who comes first. A run that begins with the group means somebody in the context. So do
  demonstratives that are repeated.
- A pronoun after a name means that: "When did Marie Curie meet her husband?"
"""

import calendar
import re
from collections.abc import Iterator, Sequence

from pmind.dependencies.edges import Edge

REFERENCE = 0.85  # confidence, that of parallel-agent
OWN_PERHAPS = 0.4  # "Why did the museum move its paintings?"

_HAN = re.compile("[㐀-鿿]")
_TEXT = r"(?:passage|text|article|paragraph|story|excerpt|question|context|document|section|case)s?\b"
_THAT_AFTER = (  # else it may begin a clause
    "about|after|at|before|between|by|did|do|does|during|for|from|has|have|in|into|is|like|near|of|on|over|since|than"
    "|through|to|under|until|was|with"
)
_HAN_MEASURE = "[一个位些种座家款部次场]"
_HAN_MARKER = re.compile(f"^(?:[该此]|[这那]{_HAN_MEASURE})")
_DEMONSTRATIVES = [
    re.compile(pattern)
    for pattern in (
        rf"(?i:\b(?P<words>th(?:is|ese)\b(?! {_TEXT})(?: \w+)?))",
        rf"(?i:(?:^|\b(?:{_THAT_AFTER}) )(?P<words>that (?!{_TEXT})\w+))",
        r"(?i:\b(?P<words>the (?:latter|former))\b)",
        r"(?P<words>(?<![应本不活])该(?![如怎不做是])[㐀-鿿]{0,2})",  # not 应该, 该如何: should
        r"(?P<words>(?<![因如由从彼至就])此(?![外时刻后前篇文段题])[㐀-鿿]?)",
        rf"(?P<words>[这那]{_HAN_MEASURE}(?![种些]?(?:样|做|短?文|段|篇|题))[㐀-鿿]{{0,2}})",
    )
]
_PRONOUNS = {
    "he": re.compile(r"\b(?:he|him|his|himself)\b", re.IGNORECASE),
    "she": re.compile(r"\b(?:she|her|hers|herself)\b", re.IGNORECASE),
    "it": re.compile(r"\b(?:it|its|itself)\b", re.IGNORECASE),
    "they": re.compile(r"\b(?:they|them|their|theirs|themselves)\b", re.IGNORECASE),
    "他": re.compile(r"(?<!其)他(?![国人乡])们?"),
    "她": re.compile(r"她们?"),
    "它": re.compile(r"(?<!其)它们?"),
    "其": re.compile(r"(?<![极尤与何马耳])其(?![中他它实次余])"),
}
_PERSONS = {"he", "she", "他", "她"}
_EXPLETIVE = re.compile(
    r"\b(?:is|was) it (?:\w+ )?(?:true|possible|likely|important|common|necessary|easy|hard|difficult|that)\b"
    r"|\b(?:does|did|will|would) it (?:take|cost|mean|matter|rain|snow)\b|\btime (?:is|was) it\b",
    re.IGNORECASE,
)
_ASKS_WHO = re.compile(r"\bwho(?:m|se)?\b|谁|哪一?位|哪个人|何人", re.IGNORECASE)
_KINDS = (  # of nouns, with what asks for them
    (re.compile(r"^(?:person|people|man|men|woman|women|child)$|^人", re.IGNORECASE), _ASKS_WHO),
    (
        re.compile(
            r"^(?:place|city|town|village|country|state|region|area|location)$|^[地国城市省县镇村]", re.IGNORECASE
        ),
        re.compile(r"\bwhere\b|哪里|哪儿|何处|何地", re.IGNORECASE),
    ),
    (
        re.compile(r"^(?:year|month|day|date|time|century|period)$|^[年月日天]", re.IGNORECASE),
        re.compile(r"\bwhen\b|何时|什么时候", re.IGNORECASE),
    ),
)
_INNER_NAME = re.compile(r"(?<=[^.?!:]\s)[\"“(]?([A-Z][\w’'-]+)")  # the first word of a sentence is capitalised anyway
_DATES = {*calendar.month_name, *calendar.month_abbr, *calendar.day_name}  # capitalised, but nobody is meant
_NOUN_PHRASE = re.compile(r"\b(?:the|an?|each|every) \w+", re.IGNORECASE)
_HAN_ASKING = re.compile(
    r"请问|为什么|什么|怎么|如何|时候|哪[个些里儿]?|谁|几|多少|那么|后来|最后|第?一?年|[是在和与对于了的何会被把给从由当里,,\s]"
)


def reference_word_edges(questions: Sequence[str]) -> Iterator[Edge]:
    """Edges to questions with a reference word, from those that they point to.

    Example:
        >>> asked = ["Who discovered radium?", "Where was she born?", "When did she die?"]
        >>> [edge.ends for edge in reference_word_edges(asked)]
        [(0, 1), (0, 2)]
    """
    for target, text in enumerate(questions[1:], start=1):
        for words in _demonstratives(text):
            source = _named_thing(questions[:target], words)
            if source is not None:
                yield Edge(source, target, REFERENCE, f'"{words}" points back')
        for family in _PRONOUNS:
            match = _pronoun(text, family)
            source = _introduction(questions, target, family) if match else None
            if source is not None and (confidence := _certainty(text[: match.start()], family)):
                yield Edge(source, target, confidence, f'"{match[0]}" points back')


def _demonstratives(text: str) -> Iterator[str]:
    """Words that point back, but for those whose noun the question has named before: "the mill … that mill"."""
    for pattern in _DEMONSTRATIVES:
        for match in pattern.finditer(text):
            words = match["words"]
            noun = _noun(words)
            if not noun or noun not in text[: match.start("words")]:
                yield words


def _noun(words: str) -> str:
    """The noun of "this long river" or 该患者; of Chinese two characters at most."""
    return _HAN_MARKER.sub("", words) if _HAN.search(words) else words.split()[-1]


def _named_thing(earlier: Sequence[str], words: str) -> int | None:
    """The question that WORDS go back to; ``None`` where all before it use the same."""
    others = [source for source, text in enumerate(earlier) if words.lower() not in text.lower()]
    having = [source for source in others if _noun(words).lower() in earlier[source].lower()]
    asks = next((asks for kind, asks in _KINDS if kind.search(_noun(words))), None)
    asking = [source for source in others if asks and asks.search(earlier[source])]
    return max(having or asking or others, default=None)


def _pronoun(text: str, family: str) -> re.Match | None:
    """The first pronoun of FAMILY that stands for something, which "it" in "is it true" does not."""
    empty = [match.span() for match in _EXPLETIVE.finditer(text)]
    for match in _PRONOUNS[family].finditer(text):
        if not any(start <= match.start() < end for start, end in empty):
            return match
    return None


def _introduction(questions: Sequence[str], target: int, family: str) -> int | None:
    """The question that the pronoun of TARGET goes back to; ``None`` where all before it use the same."""
    earlier = [source for source in range(target) if not _pronoun(questions[source], family)]
    asking_who = [source for source in earlier if family in _PERSONS and _ASKS_WHO.search(questions[source])]
    return max(asking_who or earlier, default=None)


def _certainty(head: str, family: str) -> float:
    """Confidence that a pronoun after HEAD means another question, 0 if a name stands there."""
    if any(name not in _DATES for name in _INNER_NAME.findall(head)):
        return 0.0
    if _HAN.search(head):
        named = len(_HAN_ASKING.sub("", head)) > 1
    else:
        named = family not in _PERSONS and _NOUN_PHRASE.search(head)
    return OWN_PERHAPS if named else REFERENCE
