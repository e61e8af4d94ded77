"""batch: all questions at once along the batch axis, the context repeated in every row."""

from pmind.methods.passes import one_by_one as split

__all__ = ["SHARES_CONTEXT", "TOGETHER", "rows", "split"]
SHARES_CONTEXT = False
TOGETHER = True


def rows(branches: int, max_groups: int) -> int:
    """As many questions side by side as may be decoded together."""
    return branches
