"""sequential_cached: one question at a time, the context's cache kept between a group's questions."""

from pmind.methods.passes import one_by_one as split

__all__ = ["SHARES_CONTEXT", "TOGETHER", "rows", "split"]
SHARES_CONTEXT = True
TOGETHER = False


def rows(branches: int, max_groups: int) -> int:
    """One at a time."""
    return 1
