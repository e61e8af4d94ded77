"""pass@k: the chance that at least one of k programs solves a problem."""

import math

from pmind.errors import DataError


def pass_at_k(samples: int, correct: int, k: int) -> float:
    """Unbiased estimate from SAMPLES programs of which CORRECT pass their tests.

    1 − C(n − c, k) / C(n, k) (Chen et al., 2021, "Evaluating Large Language Models Trained on
    Code", equation 1). The plug-in 1 − (1 − c/n)^k would be too low.

    Args:
        samples: programs drawn for the problem, n.
        correct: those that pass, c.
        k: programs one may submit.

    Raises:
        DataError: not 0 ≤ c ≤ n or not 1 ≤ k ≤ n.

    Example:
        >>> pass_at_k(2, 1, 1), pass_at_k(4, 1, 2), pass_at_k(3, 2, 2), pass_at_k(5, 0, 5)
        (0.5, 0.5, 1.0, 0.0)
    """
    if not 0 <= correct <= samples or not 1 <= k <= samples:
        raise DataError(
            f"pass@{k} of {samples} programs, {correct} correct: k must lie between 1 and the number of programs, "
            "and no more can be correct than were drawn. Draw more samples or lower k"
        )
    return 1.0 - math.comb(samples - correct, k) / math.comb(samples, k)
