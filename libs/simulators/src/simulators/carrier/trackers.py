"""Trackers: where a parcel was seen, and who is told."""

import json
import secrets
from datetime import UTC, date, datetime
from enum import StrEnum

from pydantic import BaseModel

from simulators.carrier.errors import CarrierError
from simulators.database import Database
from simulators.webhooks import Webhooks

SCHEMA = """
CREATE TABLE IF NOT EXISTS trackers (
    tracking TEXT PRIMARY KEY,
    eta TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS scans (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tracking TEXT NOT NULL REFERENCES trackers,
    status TEXT NOT NULL,
    occurred_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS scans_of_tracker ON scans (tracking);
"""


class Status(StrEnum):
    """EasyPost's words."""

    PRE_TRANSIT = "pre_transit"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERED = "delivered"
    FAILURE = "failure"
    RETURN_TO_SENDER = "return_to_sender"
    LOST = "lost"
    CANCELLED = "cancelled"


class Scan(BaseModel):
    """occurred_at: RFC 3339, in UTC."""

    status: Status
    occurred_at: str


class Tracker(BaseModel):
    """status: of the scan that occurred last, whenever it was reported; eta: a date."""

    tracking: str
    status: Status
    occurred_at: str
    eta: str
    events: list[Scan]


class Trackers:
    def __init__(self, database: Database, webhooks: Webhooks) -> None:
        self._database = database
        self._webhooks = webhooks
        database.define(SCHEMA)

    def open(self, tracking: str, eta: date) -> None:
        """A label was bought; nobody is told, for its buyer knows."""
        self._database.insert(
            "INSERT INTO trackers VALUES (?, ?)", tracking, eta.isoformat()
        )
        self._note(tracking, Status.PRE_TRANSIT, datetime.now(UTC))

    def get(self, tracking: str) -> Tracker:
        """Raises CarrierError (404)."""
        row = self._database.row("SELECT * FROM trackers WHERE tracking = ?", tracking)
        if row is None:
            raise CarrierError(404, "not_found", "No such tracker.")
        scans = [
            Scan(**scan)
            for scan in self._database.rows(
                "SELECT status, occurred_at FROM scans WHERE tracking = ?"
                " ORDER BY occurred_at, number",
                tracking,
            )
        ]
        latest = scans[-1]
        return Tracker(**row, **latest.model_dump(), events=scans)

    def scan(self, tracking: str, status: Status, occurred_at: datetime) -> Tracker:
        """Note a scan, as often as it is reported, and send it.

        Raises CarrierError (404).
        """
        self.get(tracking)
        scan = self._note(tracking, status, occurred_at)
        data = {"tracking": tracking, **scan.model_dump()}
        body = json.dumps({"type": "tracker.updated", "data": data})
        event_id = f"msg_{secrets.token_hex(12)}"
        self._webhooks.send(event_id, "tracker.updated", tracking, body)
        return self.get(tracking)

    def is_scanned(self, tracking: str) -> bool:
        return any(
            s.status is not Status.PRE_TRANSIT for s in self.get(tracking).events
        )

    def _note(self, tracking: str, status: Status, occurred_at: datetime) -> Scan:
        scan = Scan(status=status, occurred_at=rfc3339(occurred_at))
        self._database.insert(
            "INSERT INTO scans (tracking, status, occurred_at) VALUES (?, ?, ?)",
            *(tracking, scan.status, scan.occurred_at),
        )
        return scan


def rfc3339(moment: datetime) -> str:
    """In UTC with microseconds, so that the text sorts as the moments do."""
    moment = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{moment.isoformat(timespec='microseconds')}Z"
