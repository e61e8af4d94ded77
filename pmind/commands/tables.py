"""What a command measured: into files, and onto the terminal."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def deliver(
    content: Mapping[str, Any], path: Path, keep: Path | None, show: Callable[[Mapping[str, Any]], None] | None
) -> None:
    """Write CONTENT as JSON, and print it.

    Args:
        content: the table and what it depends on.
        path: of the file that every run writes.
        keep: of one more, if asked for.
        show: prints the table; without it CONTENT is printed as one JSON object.
    """
    for target in filter(None, (path, keep)):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if show is None:
        print(json.dumps(content, ensure_ascii=False))
    else:
        show(content)
        print(f"saved {path}", file=sys.stderr)
