"""Run one sweep of the ablations."""

from pathlib import Path
from typing import Annotated

import typer

from pmind.ablations.running import Workshop
from pmind.ablations.sweeping import run_sweep
from pmind.errors import TrainingError
from pmind.params import AblationsParams, load_document, load_section
from pmind.stage import run_stage, write_metrics


def main(
    sweep: Annotated[str, typer.Argument(help="Name of the sweep, e.g. ratio.")],
    out: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/ablations/ratio.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
    work: Annotated[Path, typer.Option(help="Folder of finished and unfinished cells.")] = Path("data/ablations"),
) -> None:
    """Train the models of SWEEP under every seed, and write a row for each to OUT.

    Killed and repeated, it goes on where it was; cells that another sweep trained are not trained again.

    Example: python -m stages.ablate ratio metrics/ablations/ratio.json
    """
    config = load_section(params, "ablations", AblationsParams)
    workshop = Workshop(work, config.jobs, config.threads)
    ran = run_sweep(sweep, load_document(params), config.preset, config.seeds, workshop)
    write_metrics(out, ran)
    if ran["failures"]:
        failed = "; ".join(ran["failures"])
        raise TrainingError(f"{sweep}: {len(ran['failures'])} jobs failed, {out} has the others: {failed}")


if __name__ == "__main__":
    run_stage(main)
