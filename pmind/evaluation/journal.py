"""Replies of a run under way, group by group, so that one that was killed goes on where it was.

A file of JSON lines. The first names the plan; a journal of another plan is begun anew::

    {"plan": "9f2c…"}
    {"group": "g1", "seconds": 0.8, "prefill_s": 0.2, "replies": [{"text": " Livia", …}, …]}
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pmind.methods.rounds import Reply


@dataclass(frozen=True)
class Entry:
    """One group's replies and what they took.

    Attributes:
        group: its id.
        replies: to its questions.
        seconds: its part of the time that the groups answered with it took.
        prefill_s: how much of that went by before first tokens.
    """

    group: str
    replies: tuple[Reply, ...]
    seconds: float
    prefill_s: float


class Journal:
    """The groups answered so far.

    Args:
        path: of the file; it and its folder are made when the first group is answered.
        plan: whatever decides the answers; replies given under another plan are dropped.
    """

    def __init__(self, path: Path, plan: str) -> None:
        self._path, self._plan = path, plan
        self._begun = False  # whether the file is known to be of this plan

    def read(self) -> dict[str, Entry]:
        """Entries by their group; a line that was cut off does not count."""
        lines = self._lines()
        self._begun = bool(lines) and lines[0].get("plan") == self._plan
        if not self._begun:
            return {}
        entries = [
            Entry(**{**line, "replies": tuple(_reply(reply) for reply in line["replies"])}) for line in lines[1:]
        ]
        return {entry.group: entry for entry in entries}

    def add(self, entries: Sequence[Entry]) -> None:
        """Write ENTRIES down, behind those that :meth:`read` found and those added since."""
        lines = [json.dumps(asdict(entry), ensure_ascii=False) for entry in entries]
        if self._begun:
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(f"\n{line}" for line in lines))  # first ends a line that was cut off
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("\n".join([json.dumps({"plan": self._plan}), *lines]), encoding="utf-8")
        self._begun = True

    def remove(self) -> None:
        """Forget it all."""
        self._path.unlink(missing_ok=True)
        self._begun = False

    def _lines(self) -> list[dict]:
        if not self._path.is_file():
            return []
        return [
            found
            for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines()
            if (found := _parsed(line))
        ]


def _parsed(line: str) -> dict | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _reply(record: dict) -> Reply:
    return Reply(**{name: tuple(value) if isinstance(value, list) else value for name, value in record.items()})
