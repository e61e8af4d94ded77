"""What every command shares: run a Typer main, report errors in one line, write metrics."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import typer

from pmind.errors import PmindError

CLICK_ERROR = typer.BadParameter.__mro__[2]  # ClickException, wherever this Typer keeps its click
USAGE_EXIT = 2
INTERRUPT_EXIT = 130


def run_stage(main: Callable[..., None]) -> NoReturn:
    """Run MAIN as a one-command program."""
    app = new_app()
    app.command()(main)
    run_app(app)


def new_app(**options: object) -> typer.Typer:
    """Make a Typer app whose errors and help are plain text."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def run_app(app: typer.Typer) -> NoReturn:
    """Run APP: bad input becomes one line on stderr and exit code 2, a bug keeps its traceback."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when transformers is first imported
    try:
        code = app(standalone_mode=False)
    except PmindError as error:
        fail(str(error))
    except CLICK_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the command alone: its message is the help
            print(error.format_message(), file=sys.stderr)
            sys.exit(USAGE_EXIT)
        fail(error.format_message())
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", code=INTERRUPT_EXIT)
    except BrokenPipeError:  # `pmind layout | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code or 0)


def fail(message: str, code: int = USAGE_EXIT) -> NoReturn:
    """Print MESSAGE as one line on stderr and exit."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def write_metrics(path: Path, metrics: Mapping[str, object]) -> None:
    """Write flat metrics as sorted JSON, one key a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(metrics, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
