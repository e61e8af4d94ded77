"""pmind merge: an adapter becomes a plain model folder."""

from pathlib import Path
from typing import Annotated

import typer

from pmind.errors import ModelError
from pmind.params import DtypeName


def merge(
    adapter: Annotated[str, typer.Argument(help="Folder or Hub id of the adapter.")],
    out: Annotated[Path, typer.Argument(help="Folder to write; new or empty.")],
    dtype: Annotated[DtypeName, typer.Option(help="Of the weights written; they are merged in float32.")] = "float32",
) -> None:
    """Write ADAPTER and its base model to OUT as one plain model, for programs that know no adapters.

    pmind itself needs no merging: it loads an adapter's folder like any other.

    Example: pmind merge data/models/squad data/models/squad-merged --dtype bfloat16
    """
    from pmind.models.adapters import is_adapter
    from pmind.models.loading import base_folder, resolve_folder
    from pmind.models.merging import write_plain

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out}: there is something already. Name a new folder, or empty this one")
    folder = resolve_folder(adapter)
    if not is_adapter(folder):
        raise ModelError(f"{adapter}: a plain model already (no adapter_config.json), there is nothing to merge")
    write_plain(folder, out, dtype)
    size = sum(path.stat().st_size for path in out.iterdir())
    print(f"wrote {out}: {adapter} merged into {base_folder(folder)}, {dtype}, {size / 1e6:,.1f} MB")
