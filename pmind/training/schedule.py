"""The learning rate of a step, as a share of its peak."""

import math

from pmind.params import ScheduleName


def learning_rate_share(
    step: int,
    steps: int,
    warmup_steps: int,
    *,
    schedule: ScheduleName = "linear",
    decay_share: float = 0.2,
    final_share: float = 0.1,
) -> float:
    """Share of the peak learning rate at a step: up in a line, then down as the schedule says.

    Args:
        step: from 0.
        steps: of the run.
        warmup_steps: in which the rate rises; the peak is at the last of them.
        schedule: ``linear`` falls from there in a line, ``cosine`` in half a wave, ``wsd``
            (warm-up, stable, decay; Hu et al., MiniCPM, 2024) stays and falls in a line at the end.
        decay_share: share of the steps in which ``wsd`` falls.
        final_share: what is left at the last step.

    Example:
        >>> [round(learning_rate_share(step, 6, 2), 3) for step in range(6)]
        [0.5, 1.0, 0.775, 0.55, 0.325, 0.1]
        >>> [round(learning_rate_share(step, 6, 2, schedule="cosine"), 3) for step in range(6)]
        [0.5, 1.0, 0.868, 0.55, 0.232, 0.1]
        >>> [round(learning_rate_share(step, 6, 2, schedule="wsd", decay_share=0.34), 3) for step in range(6)]
        [0.5, 1.0, 1.0, 1.0, 0.55, 0.1]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    falling = max(1, steps - max(1, warmup_steps))
    if schedule == "wsd":
        falling = min(falling, round(decay_share * steps))
    left = min(1.0, (steps - 1 - step) / falling) if falling else 1.0
    if schedule == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return final_share + (1 - final_share) * left
