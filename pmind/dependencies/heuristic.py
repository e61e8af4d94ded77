"""collab_heuristic: candidates from the words of the questions alone, without a model."""

from collections.abc import Sequence

from pmind.dependencies.aggregates import aggregate_edges
from pmind.dependencies.edges import Edge, strongest
from pmind.dependencies.keywords import keyword_edges
from pmind.dependencies.numbered import numbered_edges
from pmind.dependencies.reference_words import reference_word_edges

RULES = (numbered_edges, reference_word_edges, aggregate_edges, keyword_edges)


def propose_by_words(questions: Sequence[str]) -> list[Edge]:
    """Candidate edges by numbers, reference words, sums and shared keywords, in English and Chinese.

    Args:
        questions: in the order in which they are asked; a reference word points to an earlier one.

    Returns:
        The most confident edge for each source and target.

    Example:
        >>> propose_by_words(["Who wrote Faust?", "Where was that person born?"])
        [Edge(source=0, target=1, confidence=0.85, reason='"that person" points back')]
    """
    return strongest(edge for rule in RULES for edge in rule(questions))
