"""The pmind command: one function a subcommand, each in its own file.

Heavy imports wait until a command needs them, so that --help answers at once.
"""

import importlib.metadata
from typing import Annotated

import typer

from pmind.commands.analyze import analyze
from pmind.commands.ask import ask
from pmind.commands.benchmark import benchmark
from pmind.commands.benchmark_training import benchmark_training
from pmind.commands.compare import compare
from pmind.commands.datasets import datasets
from pmind.commands.dependencies import dependencies
from pmind.commands.diff import diff
from pmind.commands.evaluate import evaluate
from pmind.commands.layout import layout
from pmind.commands.merge import merge
from pmind.commands.results import keep, keep_model, results
from pmind.stage import new_app, run_app

COMMANDS = (
    *(ask, evaluate, compare, diff, dependencies, datasets, benchmark, benchmark_training),
    *(layout, analyze, merge, results, keep, keep_model),
)

app = new_app(no_args_is_help=True)
for command in COMMANDS:
    app.command()(command)


def run() -> None:
    """Entry point of the ``pmind`` command."""
    run_app(app)


@app.callback(invoke_without_command=True)
def main(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Many questions about one context in one decoding pass of a language model."""
    if version:
        print(importlib.metadata.version("pmind"))
        raise typer.Exit
