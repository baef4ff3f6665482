"""What is going to happen by itself: a refund fails later, an authorisation ends.

The entries are rows, so a killed simulator keeps its appointments.
"""

from collections.abc import Callable, Mapping

from simulators.alarm import Alarm
from simulators.clock import Clock
from simulators.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS agenda (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    due REAL NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS agenda_due ON agenda (due);
"""

Action = Callable[[str], None]


class Agenda:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._alarm = Alarm()
        self._actions: Mapping[str, Action] = {}
        database.define(SCHEMA)

    def knows(self, actions: Mapping[str, Action]) -> None:
        """Say what each action does with its subject."""
        self._actions = actions

    def add(self, due: float, action: str, subject: str) -> None:
        """Note an action for a moment of simulated time."""
        self._database.insert(
            "INSERT INTO agenda (due, action, subject) VALUES (?, ?, ?)",
            *(due, action, subject),
        )
        self._alarm.ring()

    def run_due(self) -> None:
        """Do everything whose moment has come, each in a transaction of its own."""
        while row := self._database.row(
            "SELECT * FROM agenda WHERE due <= ? ORDER BY due, id LIMIT 1",
            self._clock.now(),
        ):
            with self._database.transaction():
                self._database.run("DELETE FROM agenda WHERE id = ?", row["id"])
                self._actions[row["action"]](row["subject"])

    async def keep(self) -> None:
        """Run until cancelled."""
        while True:
            self.run_due()
            await self._alarm.sleep(self._seconds_to_next())

    def _seconds_to_next(self) -> float | None:
        row = self._database.row("SELECT min(due) AS due FROM agenda")
        if row is None or row["due"] is None:
            return None
        return float(row["due"]) - self._clock.now()
