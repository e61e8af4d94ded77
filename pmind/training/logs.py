"""A run's curves as DVCLive writes them, for `dvc plots show` while it goes on.

No times are logged, so equal runs write equal files.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pmind.training.progress import Progress


@contextmanager
def log_curves(
    folder: Path | None, progress: Progress, learning_rate: Callable[[int], float]
) -> Iterator[Callable[[], None]]:
    """A function to call after each step, which writes the step to FOLDER.

    The steps that PROGRESS holds already are written anew: what a killed run logged after its last
    checkpoint goes, and what DVC removed before it ran the stage again comes back.

    Args:
        folder: emptied first; ``None`` logs nothing.
        progress: of the run, resumed.
        learning_rate: of a step.
    """
    if folder is None:
        yield lambda: None
        return
    from dvclive import Live  # imports all of DVC

    live = Live(str(folder), save_dvc_exp=False, dvcyaml=None)
    tokens = 0

    def log() -> None:
        nonlocal tokens
        step = live.step
        tokens += progress.tokens[step]
        live.log_metric("loss", progress.losses[step])
        live.log_metric("learning_rate", learning_rate(step))
        live.log_metric("grad_norm", progress.gradient_norms[step])
        live.log_metric("tokens", tokens)
        live.step = step + 1

    for _ in range(progress.step):
        log()
    yield log
    live.make_summary()  # Live.end() would ask git and DVC for more
