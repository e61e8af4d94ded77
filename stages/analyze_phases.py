"""Compare what the rotary embedding's phases foretell with the parallel tax that the ablations measured."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from pmind.analysis.phases import Geometry
from pmind.analysis.prediction import Measured, analyse_phases
from pmind.analysis.ranking import FEWEST
from pmind.analysis.wider import Head
from pmind.errors import DataError
from pmind.models.presets import PRESETS
from pmind.params import GeometryParams, load_section
from pmind.reports.sweeps import HEADLINE, Sweep, read_sweeps
from pmind.stage import run_stage, write_metrics

FIELDS = {  # what a sweep may vary, its losses still a matter of phases -> field of a geometry
    "rope_2d_ratio": "ratio",
    "pair_placement": "placement",
    "branch_encoding": "encoding",
    "branch_stride": "stride",
}


def main(
    metrics: Annotated[Path, typer.Argument(help="Metrics folder; the sweeps are in its ablations/.")],
    out: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/phases.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Write what phases tell of every setting to OUT, beside what METRICS has measured.

    Example: python -m stages.analyze_phases metrics metrics/phases.json
    """
    config = load_section(params, None, GeometryParams)
    default = Geometry(
        config.rope_2d_ratio,
        config.pair_placement,
        config.branch_encoding,
        config.branch_stride,
        config.pair_indices,
    )
    sweeps = [sweep for sweep in read_sweeps(metrics) if _varies_phases(sweep)]
    if not sweeps:
        raise DataError(f"{metrics}/ablations: no sweep of the branch's signal alone. Run one: make ablations")
    head, columns = _model_of(sweeps)
    measured = [found for sweep in sweeps for found in _measured(sweep, default)]
    write_metrics(out, analyse_phases(measured, default, head, branches=HEADLINE, columns=columns))


def _varies_phases(sweep: Sweep) -> bool:
    settings = [trial.setting for trial in sweep.trials if not trial.baseline]
    enough = len(sweep.labels(baselines=False)) >= FEWEST and HEADLINE in sweep.branches()
    return sweep.has_baseline() and enough and all(setting.keys() <= FIELDS.keys() for setting in settings)


def _model_of(sweeps: list[Sweep]) -> tuple[Head, int]:
    """Head and columns of a branch, which all sweeps share."""
    told = {(sweep.conditions.get("model"), sweep.conditions.get("branch_tokens")) for sweep in sweeps}
    if len(told) > 1:
        raise DataError(f"sweeps of several models and lengths, {told}: their taxes cannot be ranked together")
    name, columns = told.pop()
    if name not in PRESETS or not isinstance(columns, int):
        raise DataError(f"sweep of model {name!r} with {columns!r} tokens a branch: known are {', '.join(PRESETS)}")
    shape: Mapping[str, float] = PRESETS[name]
    return Head(shape["hidden_size"] // shape["num_attention_heads"], shape["rope_theta"]), columns


def _measured(sweep: Sweep, default: Geometry) -> Iterator[Measured]:
    for label in sweep.labels(baselines=False):
        setting = {FIELDS[key]: value for key, value in sweep.labelled(label)[0].setting.items()}
        known = {name: getattr(default, name) for name in FIELDS.values()}
        taxes = {count: tuple(sweep.taxes(label, count).values()) for count in sweep.branches()}
        yield Measured(
            sweep.name, Geometry(**{**known, **setting}), {at: found for at, found in taxes.items() if found}
        )


if __name__ == "__main__":
    run_stage(main)
