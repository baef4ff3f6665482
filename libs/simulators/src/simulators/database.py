"""What a simulator remembers, in one SQLite file."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Database:
    """One connection, used from the event loop's thread alone.

    A transaction holds no await, so requests are serialised by construction: twenty
    captures at once are decided one after the other. After a commit a killed process
    loses nothing: the operating system has the pages, only a power cut could take them.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def define(self, schema: str) -> None:
        """Create the tables that are not there yet."""
        self._connection.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; transactions do not nest."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, statement: str, *values: object) -> int:
        """Change rows; returns how many."""
        return self._connection.execute(statement, values).rowcount

    def insert(self, statement: str, *values: object) -> int:
        """Add a row; returns its number."""
        number = self._connection.execute(statement, values).lastrowid
        assert number is not None  # noqa: S101  an INSERT always has one
        return number

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._connection.execute(query, values).fetchone()
        return found

    def clear(self) -> None:
        """Forget everything, as if the file were new."""
        with self.transaction():
            for table in self._tables():
                self.run(f'DELETE FROM "{table}"')

    def _tables(self) -> list[str]:
        query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
        return [str(row["name"]) for row in self.rows(query)]
