"""The branch axis enters a pretrained model pair by pair, the slowest pair first.

Handing pair f over from the column y to the branch x = branch * stride changes a token's angle by
``inv_freq[f] * |x - y|`` (``replace``) or ``inv_freq[f] * x`` (``offset``): least for the slowest
pair, so the model meets the smallest change first and the largest, which it most relied on to
count columns, last.
"""

from collections.abc import Callable, Sequence

from torch import nn

from pmind.errors import TrainingError
from pmind.models.wiring import BranchRotaryEmbedding


def anneal_branches(model: nn.Module, anneal_steps: int, steps: int) -> Callable[[int], None]:
    """A function to call before each step, which lets that step's pairs carry the branch.

    Args:
        model: wired with its final settings; may be wrapped.
        anneal_steps: in which the number of pairs rises from none to all.
        steps: of the run.

    Raises:
        TrainingError: the run ends before every pair is in.
    """
    if anneal_steps >= steps:
        raise TrainingError(
            f"anneal_steps {anneal_steps} leaves none of the {steps} steps to learn with every pair. "
            "Lower anneal_steps or raise steps"
        )
    (rotary,) = (module for module in model.modules() if isinstance(module, BranchRotaryEmbedding))

    def before_step(step: int) -> None:
        rotary.carry(annealed_pairs(rotary.pairs, step, anneal_steps))

    return before_step


def annealed_pairs(pairs: Sequence[int], step: int, anneal_steps: int) -> tuple[int, ...]:
    """Which pairs carry the branch at a step.

    Args:
        pairs: those of the final settings, 1-based, rising; pair 1 is the fastest.
        step: counted from 0.
        anneal_steps: see :func:`anneal_branches`.

    Example:
        >>> [annealed_pairs((3, 7, 11), step, 6) for step in (0, 1, 2, 4, 6, 99)]
        [(), (), (11,), (7, 11), (3, 7, 11), (3, 7, 11)]
    """
    if step >= anneal_steps:
        return tuple(pairs)
    entered = len(pairs) * step // anneal_steps
    return tuple(pairs[len(pairs) - entered :])
