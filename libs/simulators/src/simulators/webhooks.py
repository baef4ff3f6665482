"""Webhooks that arrive: each is a row until the receiver has answered 2xx."""

import asyncio
import sqlite3
import time
from collections.abc import Collection
from itertools import groupby

import httpx2

from simulators.alarm import Alarm
from simulators.database import Database
from simulators.faults import WEBHOOK, Faults, Kind, SwitchedFault
from simulators.signatures import Signer

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    body TEXT NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due);
"""

FIRST_RETRY_SECONDS = 0.5
# Real senders wait for hours; here a receiver that is back should not have to.
LONGEST_RETRY_SECONDS = 5.0
RECEIVER_TIMEOUT_SECONDS = 5.0
BATCH = 200
CONNECTIONS = 16


class Webhooks:
    """Delivers at least once, in order within a lane while all goes well.

    url: the receiver; None keeps the simulator silent.
    topics: what the receiver has subscribed to; None is everything.
    """

    def __init__(
        self,
        database: Database,
        faults: Faults,
        url: str | None,
        sign: Signer,
        topics: Collection[str] | None = None,
    ) -> None:
        self._database = database
        self._faults = faults
        self._url = url
        self._sign = sign
        self._topics = topics
        self._alarm = Alarm()
        self._turning_point = 0.0
        database.define(SCHEMA)

    def send(self, event_id: str, topic: str, lane: str, body: str) -> None:
        """Queue an event, in the caller's transaction."""
        unheard = self._topics is not None and topic not in self._topics
        if self._url is None or unheard:
            return
        faults = self._faults.strike(topic, WEBHOOK)
        kinds = {fault.kind for fault in faults}
        if Kind.WEBHOOK_OFF in kinds:
            return
        for copy in range(3 if Kind.WEBHOOK_THRICE in kinds else 1):
            # A lane for each copy: the receiver gets them at the same time.
            self._database.insert(
                "INSERT INTO deliveries (event_id, lane, body, due)"
                " VALUES (?, ?, ?, ?)",
                *(event_id, f"{lane}#{copy}", body, self._due(faults)),
            )
        self._alarm.ring()

    def pending(self) -> int:
        row = self._database.row("SELECT count(*) AS pending FROM deliveries")
        return int(row["pending"]) if row else 0

    async def deliver(self) -> None:
        """Run until cancelled."""
        limits = httpx2.Limits(max_connections=CONNECTIONS)
        timeout = httpx2.Timeout(RECEIVER_TIMEOUT_SECONDS)
        async with httpx2.AsyncClient(
            limits=limits, timeout=timeout, trust_env=False
        ) as http:
            while True:
                await self._deliver_due(http)
                await self._alarm.sleep(self._seconds_to_next())

    async def _deliver_due(self, http: httpx2.AsyncClient) -> None:
        rows = self._database.rows(
            "SELECT * FROM"
            " (SELECT * FROM deliveries WHERE due <= ? ORDER BY due, id LIMIT ?)"
            " ORDER BY lane, due, id",
            *(time.time(), BATCH),
        )
        async with asyncio.TaskGroup() as lanes:
            for _, lane in groupby(rows, key=lambda row: str(row["lane"])):
                lanes.create_task(self._deliver_in_turn(http, list(lane)))

    async def _deliver_in_turn(
        self, http: httpx2.AsyncClient, rows: list[sqlite3.Row]
    ) -> None:
        for row in rows:
            if await self._accepted(http, row["event_id"], row["body"]):
                self._database.run("DELETE FROM deliveries WHERE id = ?", row["id"])
            else:
                self._postpone(row)

    async def _accepted(
        self, http: httpx2.AsyncClient, event_id: str, body: str
    ) -> bool:
        assert self._url is not None  # noqa: S101  nothing is queued without it
        headers = {"Content-Type": "application/json", **self._sign(event_id, body)}
        try:
            response = await http.post(self._url, content=body, headers=headers)
        except httpx2.HTTPError:
            return False
        return response.is_success

    def _postpone(self, row: sqlite3.Row) -> None:
        wait = min(FIRST_RETRY_SECONDS * 2 ** row["attempts"], LONGEST_RETRY_SECONDS)
        self._database.run(
            "UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE id = ?",
            *(time.time() + wait, row["id"]),
        )

    def _seconds_to_next(self) -> float | None:
        row = self._database.row("SELECT min(due) AS due FROM deliveries")
        if row is None or row["due"] is None:
            return None
        return float(row["due"]) - time.time()

    def _due(self, faults: list[SwitchedFault]) -> float:
        due = time.time()
        for fault in faults:
            if fault.kind is Kind.WEBHOOK_LATE:
                due += fault.delay_seconds
            if fault.kind is Kind.WEBHOOK_REVERSED:
                due = self._mirrored(due, fault.delay_seconds)
        return due

    def _mirrored(self, due: float, window: float) -> float:
        # A window opens with its first event, which becomes the last, and so on.
        if due > self._turning_point:
            self._turning_point = due + window
        return 2 * self._turning_point - due
