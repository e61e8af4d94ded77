"""sequential: one question at a time, no history, the context read anew for each."""

from pmind.methods.passes import one_by_one as split

__all__ = ["SHARES_CONTEXT", "TOGETHER", "rows", "split"]
SHARES_CONTEXT = False
TOGETHER = False


def rows(branches: int, max_groups: int) -> int:
    """One at a time."""
    return 1
