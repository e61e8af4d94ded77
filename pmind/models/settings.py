"""pmind.json: how a checkpoint tells branches apart, saved beside its weights.

A folder without the file is a stock model: isolated, rope_2d_ratio 0, alignment own.
"""

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pmind.errors import ModelError, PmindError, SettingsError
from pmind.geometry import Alignment
from pmind.rope import Encoding, Placement
from pmind.visibility import VISIBILITIES, resolve_alignment

FILE_NAME = "pmind.json"
CHOICES = {
    "visibility": tuple(VISIBILITIES),
    "branch_encoding": get_args(Encoding),
    "pair_placement": get_args(Placement),
}


@dataclass(frozen=True)
class Settings:
    """What a model was trained for, and so what decoding must repeat.

    Attributes:
        rope_2d_ratio: share of frequency pairs that carry the branch, 0 … 1.
        branch_stride: positions between neighbouring branches.
        branch_encoding: ``replace`` or ``offset``.
        pair_placement: ``interleaved``, ``low`` or ``high``.
        pair_indices: explicit 1-based pair numbers; override ratio and placement.
        alignment: ``own``, ``right`` or ``left``.
        visibility: ``columnar`` or ``isolated``.
        prompt_template: texts around context, question and answer; empty when none was trained.
        trained_branches: fewest and most branches of a training sample; ``None`` for stock models.
    """

    rope_2d_ratio: float = 0.0
    branch_stride: int = 1
    branch_encoding: Encoding = "replace"
    pair_placement: Placement = "interleaved"
    pair_indices: tuple[int, ...] = ()
    alignment: Alignment = "own"
    visibility: str = "isolated"
    prompt_template: Mapping[str, str] = field(default_factory=dict)
    trained_branches: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SettingsError(f"{name} must be {' or '.join(choices)}, not {getattr(self, name)!r}")
        object.__setattr__(self, "pair_indices", tuple(self.pair_indices))
        if not 0 <= self.rope_2d_ratio <= 1:
            raise SettingsError(f"rope_2d_ratio must be between 0 and 1, not {self.rope_2d_ratio}")
        if self.branch_stride < 1:
            raise SettingsError(f"branch_stride must be at least 1, not {self.branch_stride}")
        object.__setattr__(self, "alignment", resolve_alignment(self.alignment, self.visibility))


STOCK = Settings()


def save_settings(folder: Path, settings: Settings) -> None:
    """Write ``pmind.json`` into a checkpoint folder."""
    text = json.dumps(dataclasses.asdict(settings), indent=1, ensure_ascii=False)
    (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


def load_settings(folder: Path) -> Settings:
    """Read ``pmind.json``; a folder without one is a stock model.

    Raises:
        ModelError: the file is not what :func:`save_settings` writes.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        return STOCK
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["trained_branches"] is not None:
            values["trained_branches"] = tuple(values["trained_branches"])
        return Settings(**values)
    except (ValueError, TypeError, KeyError, PmindError) as error:
        raise ModelError(f"{path}: not a pmind settings file ({error}). Train the checkpoint again") from error


def apply_requested(
    trained: Settings, requested: Mapping[str, Any], *, override: bool = False, where: str = "the checkpoint"
) -> Settings:
    """Merge what a caller asks for into what a checkpoint was trained with.

    Args:
        trained: settings of the checkpoint.
        requested: names and values of settings; ``None`` means "as trained".
        override: accept values that differ from the trained ones.
        where: what to call the checkpoint in an error.

    Raises:
        SettingsError: there is no setting of that name, or a value differs and ``override`` is off;
            names both values.

    Example:
        >>> apply_requested(STOCK, {"rope_2d_ratio": None}).rope_2d_ratio
        0.0
    """
    _check_names(requested)
    asked = {name: value for name, value in requested.items() if value is not None}
    if "visibility" in asked and "alignment" not in asked and asked["visibility"] != trained.visibility:
        asked["alignment"] = "auto"
    wanted = dataclasses.replace(trained, **asked)
    if not override:
        for name in asked:
            _check_same(name, getattr(trained, name), getattr(wanted, name), where)
    return wanted


def _check_names(requested: Mapping[str, Any]) -> None:
    known = [entry.name for entry in dataclasses.fields(Settings)]
    for name in requested:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise SettingsError(f"unknown setting '{name}'" + (f"; did you mean '{close[0]}'?" if close else ""))


def _check_same(name: str, trained: Any, wanted: Any, where: str) -> None:
    if trained != wanted:
        raise SettingsError(
            f"{where} was made for {name} {trained}, but {wanted} is asked for. "
            f"Leave {name} out to use {trained}, or say override to decode with {wanted} all the same"
        )
