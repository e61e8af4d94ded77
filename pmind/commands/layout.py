"""pmind layout: draw a group's columns and its mask."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pmind.errors import PmindError
from pmind.params import VisibilityName


def layout(
    context: Annotated[int, typer.Option(min=0, help="Tokens of the context.")] = 8,
    prompt: Annotated[
        list[int] | None, typer.Option(min=1, help="Tokens of a prompt; repeat. [default: 4, 3, 2]")
    ] = None,
    answer: Annotated[int, typer.Option(min=0, help="Answer tokens of every branch.")] = 2,
    visibility: Annotated[VisibilityName, typer.Option(help="Who sees whom.")] = "columnar",
    alignment: Annotated[str, typer.Option(help="own, right, left or auto (the visibility's default).")] = "auto",
    mask: Annotated[bool, typer.Option(help="Print the mask too.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Save columns and mask as .png, .svg or .pdf.")] = None,
) -> None:
    """Draw a group's columns, and its mask.

    Example: pmind layout --context 8 --prompt 4 --prompt 3 --prompt 2 --alignment left --picture layout.png
    """
    from pmind.analysis.layout_picture import draw_layout, layout_text, mask_text
    from pmind.geometry import build_layout
    from pmind.visibility import VISIBILITIES, resolve_alignment

    alignment = resolve_alignment(alignment, visibility)
    lengths = prompt or [4, 3, 2]
    group = build_layout(
        [0] * context, [[0] * length for length in lengths], [[0] * answer for _ in lengths], alignment=alignment
    )
    print(layout_text(group))
    if mask:
        print(f"\n{mask_text(group, VISIBILITIES[visibility])}")
    if picture:
        title = f"alignment {alignment}, visibility {visibility}"
        _save(lambda: draw_layout(group, VISIBILITIES[visibility], title, picture), picture)
        print(f"\nsaved {picture}")


def _save(write: Any, path: Path) -> None:
    try:
        write()
    except (OSError, ValueError) as error:
        raise PmindError(f"{path}: cannot be written ({str(error).splitlines()[0]})") from error
