"""Heat maps that suit light and dark pages: one colour, as strong as the share is large."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from pmind.errors import PmindError
from pmind.reports.drawing import LIGHT, STAND_INS

COLOUR = "#2f7fd1"  # of the heat: seen on white and on near-black
PER_MILLE = 1000
LIGHT_OF = dict(zip(STAND_INS, LIGHT, strict=True))
COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def parse_rows(rows: Sequence[str]) -> np.ndarray:
    """``[rows, columns]`` shares from lines of per-mille numbers, dots for zero.

    Example:
        >>> parse_rows(["1000 .", "250 750"]).tolist()
        [[1.0, 0.0], [0.25, 0.75]]
    """
    return np.array([[0 if cell == "." else int(cell) for cell in row.split()] for row in rows]) / PER_MILLE


def heat(axes: Axes, shares: np.ndarray) -> None:
    """Draw ``[rows, columns]`` SHARES, opacity as the root of the share: few tokens get most of it."""
    picture = np.empty((*shares.shape, 4))
    picture[..., :3] = to_rgb(COLOUR)
    picture[..., 3] = np.sqrt(np.clip(shares, 0, 1))
    axes.imshow(picture, interpolation="nearest", aspect="auto")


def save_png(figure: Figure, path: Path) -> None:
    """Write FIGURE in the light colours on white.

    Raises:
        PmindError: the file cannot be written.
    """
    for artist in figure.findobj():
        _recolour(artist)
    figure.patch.set_visible(True)  # a page's drawing has none, and a viewer may take what is transparent for black
    try:
        figure.savefig(path, dpi=200, facecolor="white")
    except OSError as error:
        raise PmindError(f"{path}: cannot be written ({error.strerror})") from error


def _recolour(artist: Artist) -> None:
    for name in COLOURED:
        get, put = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
        if get is None or put is None:
            continue
        colours = np.atleast_1d(np.asarray(get(), dtype=object)) if isinstance(get(), str) else np.atleast_2d(get())
        known = [LIGHT_OF.get(to_hex(colour)) for colour in colours if len(colour) in (3, 4, 7)]
        if len(known) == 1 and known[0]:
            put(known[0])
