"""parallel: the group as one flattened sequence, the context stored once."""

from itertools import pairwise

from pmind.decoding.branches import GroupRequest

SHARES_CONTEXT = True  # a group that is cut into several passes reads its context in the first
TOGETHER = True


def split(request: GroupRequest, branches: int) -> list[GroupRequest]:
    """As few passes as BRANCHES allows, of nearly equal size."""
    if len(request.prompts) <= branches:
        return [request]
    count = -(-len(request.prompts) // branches)
    bounds = [len(request.prompts) * part // count for part in range(count + 1)]
    return [
        GroupRequest(request.context, request.prompts[start:end], read=request.read) for start, end in pairwise(bounds)
    ]


def rows(branches: int, max_groups: int) -> int:
    """Several groups side by side, one row each."""
    return max_groups
