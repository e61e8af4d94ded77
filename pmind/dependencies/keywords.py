"""Words that two questions share, where not all do.

A word that one question asks for and another uses as known speaks for an answer that is needed::

    Which river floods Torvale?  ---- river ---->  How long is the river?

A word that both merely have says that they are about one thing, and nothing of an answer: of
SQuAD's questions, which were written to stand alone, more than a third would get such an edge. Their
confidence therefore lies below the usual minimum, and only who lowers that gets them.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pmind.dependencies.edges import Edge

ASKED = 0.55  # confidence, that of parallel-agent for any keyword
SHARED = 0.3

_LATIN = re.compile(r"[^\W\d_㐀-䶿一-鿿][^\W_㐀-䶿一-鿿]+|\d{3,}")
_HAN = re.compile(r"[㐀-䶿一-鿿]+")
_HAN_FUNCTION = re.compile(
    r"什么|怎么|怎样|如何|为何|哪一?[个些里儿位种]?|谁|多少|几|请问|是否|可以|应该|因为|所以|以及|或者|并且|[这那][些个种]?"
    r"|[的了在是和与及或吗呢吧被把对于从到由向有为之其他她它们该此个也都就而且最更会能要将不]"
)
_PLURAL = re.compile(r"(?<=[^s])s$")
_HAN_MEASURE = "[个些种位座条家部届支名项所次]"
_VERBS = "is|are|was|were|do|does|did|has|had|have|can|could|will|would"
_KIND = r"\b(?:[Ww]hat|[Ww]hich) (?:(?:kind|type|sort) of )?"
_ASKED = (
    re.compile(rf"{_KIND}(?!{_VERBS})(?:[\w-]+ ){{0,3}}?([a-z-]+) (?:{_VERBS})\b"),  # which old river does
    re.compile(rf"{_KIND}(?!{_VERBS})(?:[A-Z][\w-]* )*([a-z-]+)"),  # which Torvale river floods
    re.compile(
        rf"\b(?:[Ww]hat|[Ww]ho|[Ww]hich) (?:{_VERBS}) (?:the|an?) (?:name of the )?([a-z-]+)(?= (?:of|in|for)\b|\?)"
    ),
    re.compile(rf"(?:哪一?{_HAN_MEASURE}?|什么|何种)([㐀-䶿一-鿿]{2})"),
    re.compile(r"([㐀-䶿一-鿿]{2})(?:是|叫)(?:什么|谁|哪|多少)"),
)
_DEFINITE = "the|that|this|these|those|its|his|her|their"
_HAN_DEFINITE = f"[该此其]|上述|[这那]{_HAN_MEASURE}?"
_OWN_DESCRIPTION = (
    "of|in|on|at|for|from|that|which|who|where|when|called|named"  # "the river of Torvale" is known by itself
)


def keyword_edges(questions: Sequence[str]) -> Iterator[Edge]:
    """Edges between questions that share words which most of the group do not have."""
    words = [set(content_words(text)) for text in questions]
    asked = [asked_words(text) & words[question] for question, text in enumerate(questions)]
    for word, having in _rare(words).items():
        askers = [question for question in having if word in asked[question]]
        for user in having:
            if len(askers) == 1 and user != askers[0] and _uses(questions[user], word):
                yield Edge(askers[0], user, ASKED, f'asks for "{word}"')
            elif user != having[0]:
                yield Edge(having[0], user, SHARED, f'has "{word}", too')


def content_words(text: str) -> Iterator[str]:
    """Words that are no stop words, in lower case and without plural s; pairs of Han characters for Chinese.

    Example:
        >>> list(content_words("Which rivers cross the town?")), list(content_words("哪个城市的河流最长?"))
        (['river', 'cross', 'town'], ['城市', '河流'])
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    for word in _LATIN.findall(text):
        if word.lower() not in ENGLISH_STOP_WORDS:
            yield _PLURAL.sub("", word.lower())
    for run in _HAN.findall(_HAN_FUNCTION.sub(" ", text)):
        yield from map("".join, pairwise(run))


def asked_words(text: str) -> set[str]:
    """Words for what a question wants to know.

    Example:
        >>> sorted(asked_words("Which river is longest?") | asked_words("What is the capital of it?"))
        ['capital', 'river']
    """
    matches = (pattern.search(text) for pattern in _ASKED)
    head = next((match[1] for match in matches if match), "")
    return set(content_words(head))


def _uses(text: str, word: str) -> bool:
    """Whether a question speaks of WORD as known, without saying itself which one is meant."""
    if word in asked_words(text):
        return False
    english = rf"\b(?:{_DEFINITE}) (?:\w+ )?{word}s?\b(?! (?:{_OWN_DESCRIPTION})\b)"
    return bool(re.search(f"(?:{_HAN_DEFINITE}){word}" if _HAN.search(word) else english, text, re.IGNORECASE))


def _rare(words: Sequence[set[str]]) -> dict[str, list[int]]:
    """Words of at least two questions, of half of them at most where that is more, and never of all."""
    having = defaultdict(list)
    for question, own in enumerate(words):
        for word in sorted(own):
            having[word].append(question)
    most = min(max(2, len(words) // 2), len(words) - 1)
    return {word: places for word, places in having.items() if 2 <= len(places) <= most}
