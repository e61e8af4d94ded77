"""Look into a trained model: what heads read, what they are worth, what siblings do to a branch."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pmind.analysis.model_analysis import Budget, analyze_model
from pmind.decoding.decoder import ParallelDecoder
from pmind.params import AnalyzeParams, RunParams, load_section
from pmind.stage import run_stage, write_metrics
from pmind.tasks.records import read_groups


def main(
    model: Annotated[Path, typer.Argument(help="Folder of the checkpoint, e.g. data/models/squad.")],
    groups: Annotated[Path, typer.Argument(help="Questions with answers, e.g. data/groups/squad/test.jsonl.")],
    out: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/analysis/squad.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Write attention by role and offset, the worth of heads, and the effects of siblings to OUT.

    Example: python -m stages.analyze data/models/squad data/groups/squad/test.jsonl metrics/analysis/squad.json
    """
    run, config = load_section(params, None, RunParams), load_section(params, "analyze", AnalyzeParams)
    torch.set_num_threads(run.threads)
    decoder = ParallelDecoder.from_pretrained(model, compiled=False)  # heads of a packed model cannot be switched off
    content = analyze_model(decoder, read_groups(groups), Budget(**vars(config)), seed=run.seed)
    taken = content.pop("seconds")  # differs from run to run
    write_metrics(out, content)
    print(", ".join(f"{part} {seconds:.0f} s" for part, seconds in taken.items()))


if __name__ == "__main__":
    run_stage(main)
