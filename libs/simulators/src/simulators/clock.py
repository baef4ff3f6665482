"""The simulator's time: the real one, or ahead of it when told to; never back."""

import time

from simulators.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    ahead_seconds REAL NOT NULL CHECK (ahead_seconds >= 0)
)
"""


class Clock:
    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(SCHEMA)

    def now(self) -> float:
        """Seconds since 1970, in simulated time."""
        return time.time() + self.ahead_seconds

    @property
    def ahead_seconds(self) -> float:
        row = self._database.row("SELECT ahead_seconds FROM clock")
        return float(row["ahead_seconds"]) if row else 0.0

    def advance(self, seconds: float) -> None:
        ahead = self.ahead_seconds + seconds
        self._database.run("INSERT OR REPLACE INTO clock VALUES (1, ?)", ahead)
