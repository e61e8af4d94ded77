"""Questions that take several answers together: "in total", "both", "all of these", 总共, 两者."""

import re
from collections.abc import Iterator, Sequence

from pmind.dependencies.edges import Edge

AGGREGATE = 0.65  # confidence, that of parallel-agent

_SUM = re.compile(
    r"\bin total(?! \w)|\b(?:total (?:number|amount|sum)|altogether|combined|the sum of)\b"
    r"|总共|一共|合计|总和|加起来|共计",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"\bboth\b(?!(?: \w+)+ and )|\b(?:the|these|those) two\b|\bbetween them\b|两者|二者|[这那]两", re.IGNORECASE
)
_ALL = re.compile(
    r"\b(?:all|each) (?:of )?(?:these|those|them|the above)\b|(?:以上|上述)(?:所有|各|几|问题|答案)|所有这些",
    re.IGNORECASE,
)
_ASKS_HOW_MANY = re.compile(r"\bhow (?:many|much)\b|多少|几", re.IGNORECASE)


def aggregate_edges(questions: Sequence[str]) -> Iterator[Edge]:
    """Edges to such questions: sums need the earlier ones that ask how many, pairs the two before, others all.

    Where there are not two of them, the question means something else.

    Example:
        >>> asked = ["How many cats are there?", "Who feeds them?", "How many dogs?", "How many animals in total?"]
        >>> [edge.ends for edge in aggregate_edges(asked)]
        [(0, 3), (2, 3)]
    """
    for target, text in enumerate(questions):
        earlier = range(target)
        counting = [source for source in earlier if _ASKS_HOW_MANY.search(questions[source])]
        for pattern, sources in ((_SUM, counting), (_PAIR, earlier[-2:]), (_ALL, earlier)):
            match = pattern.search(text)
            if match and len(sources) > 1:
                yield from (Edge(source, target, AGGREGATE, f'"{match[0]}" takes several') for source in sources)
