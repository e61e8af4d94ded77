"""Prompts that begin alike, found in any order, to be read together.

Sorted, prompts that share a prefix stand side by side. Where it saves tokens, such a run becomes a
group of branches with the prefix as their context; what is left forms groups without one::

    a b c d e       context a b c    branches d e | f | g h
    a b c f
    a b c g h       no context       branches a x | y z
    a x
    y z
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

TokenIds = tuple[int, ...]

LEAST_PREFIX = 32  # tokens; to read fewer again costs less than a pass of their own
MOST_TOKENS = 4096  # of a group's branches, which bounds the memory that reading them takes


@dataclass(frozen=True)
class PromptGroup:
    """Prompts to be read together.

    Attributes:
        context: tokens with which each of them begins.
        members: their indices; each goes on after the context.
    """

    context: TokenIds
    members: tuple[int, ...]


@dataclass
class _Run:
    """Prompts that share their first ``depth`` tokens."""

    depth: int
    members: list[int] = field(default_factory=list)


def group_prompts(
    prompts: Sequence[TokenIds], branches: int, least_prefix: int = LEAST_PREFIX, most_tokens: int = MOST_TOKENS
) -> list[PromptGroup]:
    """Gather PROMPTS into groups; those with the same context follow each other.

    Args:
        prompts: token ids, none empty, all different.
        branches: most prompts of a group.
        least_prefix: shorter prefixes are not shared.
        most_tokens: of all branches of a group, unless it has but one.

    Example:
        >>> prompts = [(1, 2, 3, 4), (9, 8), (1, 2, 3, 5, 6), (9, 7)]
        >>> for group in group_prompts(prompts, branches=8, least_prefix=2):
        ...     print(group)
        PromptGroup(context=(1, 2, 3), members=(2, 0))
        PromptGroup(context=(), members=(1, 3))
    """
    return [
        group for run in _runs(prompts, least_prefix) for group in _split(run, prompts, max(branches, 1), most_tokens)
    ]


@dataclass
class Work:
    """What grouping saved, summed over all that was gathered.

    Attributes:
        requests: of the harness.
        prompts: different ones among them.
        groups: they were put into.
        contexts: read for more than one prompt.
        sharing: prompts that begin with one of those.
        prompt_tokens: of all different prompts.
        tokens_read: of them, each context counted once.

    Example:
        >>> work = Work()
        >>> work.note(5, [(1, 2, 3), (1, 2, 4), (1, 2, 5, 6)], [PromptGroup((1, 2), (2, 0)), PromptGroup((1, 2), (1,))])
        >>> work
        Work(requests=5, prompts=3, groups=2, contexts=1, sharing=3, prompt_tokens=10, tokens_read=6)
    """

    requests: int = 0
    prompts: int = 0
    groups: int = 0
    contexts: int = 0
    sharing: int = 0
    prompt_tokens: int = 0
    tokens_read: int = 0

    def note(self, requests: int, prompts: Sequence[TokenIds], groups: Sequence[PromptGroup]) -> None:
        """Add what GROUPS hold of PROMPTS."""
        self.requests += requests
        self.prompts += len(prompts)
        self.groups += len(groups)
        self.prompt_tokens += sum(map(len, prompts))
        for context, together in groupby(groups, key=lambda group: group.context):
            members = [member for group in together for member in group.members]
            self.tokens_read += len(context) + sum(len(prompts[member]) - len(context) for member in members)
            if context and len(members) > 1:
                self.contexts += 1
                self.sharing += len(members)


def _runs(prompts: Sequence[TokenIds], least_prefix: int) -> Iterator[_Run]:
    """Each prompt in one run: the innermost that is worth its own context, see :func:`_stays_alone`.

    Runs of sorted prompts are nested in one another; the stack holds those around the current one.
    """
    order = sorted(range(len(prompts)), key=lambda index: prompts[index])
    around = [_Run(0)]
    for place, index in enumerate(order):
        following = prompts[order[place + 1]] if place + 1 < len(order) else ()
        depth = _shared(prompts[index], following)
        depth = depth if depth >= least_prefix else 0
        inner = _Run(len(prompts[index]), [index])
        while around[-1].depth > depth:
            outer = around.pop()
            yield from _join(inner, outer)
            inner = outer
        if around[-1].depth < depth:
            around.append(_Run(depth))
        yield from _join(inner, around[-1])
    if around[0].members:
        yield around[0]


def _join(inner: _Run, outer: _Run) -> Iterator[_Run]:
    if _stays_alone(inner, outer.depth):
        yield inner
    else:
        outer.members += inner.members


def _stays_alone(run: _Run, outer_depth: int) -> bool:
    """Whether tokens that its members need not read again are more than those of its own context."""
    return len(run.members) * (run.depth - outer_depth) > run.depth


def _shared(a: TokenIds, b: TokenIds) -> int:
    """Length of the common prefix, less than either's, so that each has a token of its own."""
    low, high = 0, max(min(len(a), len(b)) - 1, 0)
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _split(run: _Run, prompts: Sequence[TokenIds], branches: int, most_tokens: int) -> Iterator[PromptGroup]:
    """Groups of at most BRANCHES members, which are of similar length, the longest first."""
    members: list[int] = []
    tokens = 0
    for member in sorted(run.members, key=lambda index: (-len(prompts[index]), index)):
        own = len(prompts[member]) - run.depth
        if members and (len(members) == branches or tokens + own > most_tokens):
            yield _group(run.depth, members, prompts)
            members, tokens = [], 0
        members.append(member)
        tokens += own
    yield _group(run.depth, members, prompts)


def _group(depth: int, members: Sequence[int], prompts: Sequence[TokenIds]) -> PromptGroup:
    """A prompt alone is all context but for its last token: contexts are read in chunks, prompts are not."""
    first = prompts[members[0]]
    return PromptGroup(first[:-1] if len(members) == 1 and depth == 0 else first[:depth], tuple(members))
