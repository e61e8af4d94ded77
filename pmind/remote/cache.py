"""The SQLite file that keeps what a server replied, so that no reply is paid for twice."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pmind.errors import DataError

PATIENCE_S = 60.0  # for another process that writes the file
TABLE = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID"


class ReplyCache:
    """Replies by the key of what was asked. Several processes may share a file.

    A reply is written whole or not at all: each is a transaction of its own.

    Args:
        path: the file; it and its folder are made when the first reply is awaited.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, keys: Iterable[str]) -> dict[str, str]:
        """The replies that are kept for KEYS.

        Raises:
            DataError: the file is not a cache of replies.
        """
        if not self.path.exists():
            return {}
        with self._open() as base:
            found = (base.execute("SELECT key, reply FROM replies WHERE key = ?", (key,)).fetchone() for key in keys)
            return dict(row for row in found if row)

    def keep(self, key: str, reply: str) -> None:
        """Remember REPLY for KEY, instead of an earlier one if there is any.

        Raises:
            DataError: the file is not a cache of replies, or cannot be written.
        """
        with self._open() as base, base:  # the second commits
            base.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, reply))

    def check_writable(self) -> None:
        """Find out before a reply is paid for whether it could be kept.

        Raises:
            DataError: the file is not a cache of replies, or cannot be written.
        """
        with self._open() as base:
            base.execute("BEGIN IMMEDIATE")
            base.rollback()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=PATIENCE_S)) as base:
                base.execute(TABLE)
                yield base
        except (sqlite3.Error, OSError) as error:
            raise DataError(
                f"{self.path}: not a usable cache of replies ({error}). Give another path or move this file away"
            ) from error
