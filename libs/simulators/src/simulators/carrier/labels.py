"""Labels: bought once per reference, voided until the parcel is seen."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from simulators.alarm import Alarm
from simulators.carrier.errors import CarrierError
from simulators.carrier.trackers import Status, Trackers
from simulators.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS labels (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL UNIQUE,
    tracking TEXT NOT NULL UNIQUE REFERENCES trackers,
    sender TEXT,
    service TEXT,
    voided INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS label_keys (
    key TEXT PRIMARY KEY,
    request_hash TEXT NOT NULL
);
"""
SELECT = "SELECT id, reference, tracking, eta, sender, service, voided"
SELECT += " FROM labels JOIN trackers"
SELECT += " USING (tracking)"

DELIVERY_TIME = timedelta(days=3)
REFUSED_POSTAL_CODE = "99999"
REFUSED_SERVICE = "withdrawn"
CUSTOMS_UNION = {
    *(
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
    ),
    *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
}


class Address(BaseModel):
    """Where the parcel goes: decides whether there is a label, and is not kept."""

    name: str
    company: str | None = None
    street: str
    street2: str | None = None
    city: str | None = None
    region: str | None = None
    postal_code: str | None = None
    country: str = Field(min_length=2, max_length=2)
    phone: str | None = None


class Declared(BaseModel):
    """Goods, for customs. `value` in minor units, of all `units`."""

    name: str = Field(min_length=1)
    units: int = Field(gt=0)
    value: int = Field(ge=0)
    currency: str
    hs_code: str | None = None
    origin: str | None = None


class LabelRequest(BaseModel):
    """What to carry: grams and millimetres. `sender` is a place of the shop's, and
    `service` a word of ours."""

    model_config = ConfigDict(extra="forbid")

    reference: str = Field(min_length=1, max_length=200)
    to: Address
    weight_g: int = Field(gt=0, le=70_000)
    length_mm: int = Field(gt=0, le=3_000)
    width_mm: int = Field(gt=0, le=3_000)
    height_mm: int = Field(gt=0, le=3_000)
    sender: str | None = None
    service: str | None = None
    customs: list[Declared] = []

    def fingerprint(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Label(BaseModel):
    """eta: the date when the parcel should arrive."""

    id: str
    reference: str
    tracking: str
    carrier: str = "simulator"
    eta: str
    sender: str | None = None
    service: str | None = None
    voided: bool


def _check_service(request: LabelRequest) -> None:
    if request.service == REFUSED_SERVICE:
        raise CarrierError(400, "service_unknown", "We have no such service any more.")


def _check_customs(request: LabelRequest) -> None:
    """Who takes it over a border calls the customer, and shows what is in it."""
    if request.to.country in CUSTOMS_UNION:
        return
    if request.to.phone is None:
        raise CarrierError(400, "phone_missing", "Whom do we call?")
    if not request.customs or any(not goods.hs_code for goods in request.customs):
        raise CarrierError(400, "customs_incomplete", "What is in it?")


@dataclass(frozen=True)
class Bought:
    label: Label
    new: bool


class Labels:
    """bought: rings when there is a parcel to collect."""

    def __init__(self, database: Database, trackers: Trackers) -> None:
        self._database = database
        self._trackers = trackers
        self.bought = Alarm()
        database.define(SCHEMA)

    def buy(self, request: LabelRequest, key: str | None) -> Bought:
        """The label for the reference: the one bought before, if there is one.

        Raises CarrierError: 422 address_refused; 400 for a service that there is not,
        or where customs would ask; 409 if the key came with another request. Safe to
        repeat, with and without the key.
        """
        if key is not None:
            self._check_key(key, request.fingerprint())
        if known := self._find("reference", request.reference):
            return Bought(known, new=False)
        if request.to.postal_code == REFUSED_POSTAL_CODE:
            raise CarrierError(422, "address_refused", "We do not deliver there.")
        _check_service(request)
        _check_customs(request)
        self.bought.ring()
        return Bought(self._issue(request), new=True)

    def get(self, label_id: str) -> Label:
        """Raises CarrierError (404)."""
        label = self._find("id", label_id)
        if label is None:
            raise CarrierError(404, "not_found", "No such label.")
        return label

    def void(self, label_id: str) -> Label:
        """Void the label; again changes nothing. Raises CarrierError (404, 409)."""
        label = self.get(label_id)
        if not label.voided and self._trackers.is_scanned(label.tracking):
            raise CarrierError(409, "already_scanned", "The parcel is on its way.")
        self._database.run("UPDATE labels SET voided = 1 WHERE id = ?", label_id)
        return self.get(label_id)

    def all(self) -> list[Label]:
        """Oldest first."""
        rows = self._database.rows(f"{SELECT} ORDER BY number")
        return [Label(**row) for row in rows]

    def waiting(self) -> set[str]:
        """Tracking numbers of the labels that are neither voided nor scanned."""
        rows = self._database.rows(
            "SELECT tracking FROM labels WHERE NOT voided AND tracking NOT IN"
            " (SELECT tracking FROM scans WHERE status <> ?)",
            Status.PRE_TRANSIT,
        )
        return {row["tracking"] for row in rows}

    def _issue(self, request: LabelRequest) -> Label:
        label_id = f"lbl_{secrets.token_hex(8)}"
        tracking = f"SIM{secrets.randbelow(10**12):012d}"
        eta = (datetime.now(UTC) + DELIVERY_TIME).date()
        self._trackers.open(tracking, eta)
        self._database.insert(
            "INSERT INTO labels (id, reference, tracking, sender, service)"
            " VALUES (?, ?, ?, ?, ?)",
            *(label_id, request.reference, tracking),
            *(request.sender, request.service),
        )
        return self.get(label_id)

    def _check_key(self, key: str, request_hash: str) -> None:
        query = "SELECT request_hash FROM label_keys WHERE key = ?"
        row = self._database.row(query, key)
        if row is None:
            insert = "INSERT INTO label_keys VALUES (?, ?)"
            self._database.insert(insert, key, request_hash)
        elif row["request_hash"] != request_hash:
            raise CarrierError(
                409, "idempotency_key_reused", "The key came with another request."
            )

    def _find(self, column: str, value: str) -> Label | None:
        row = self._database.row(f"{SELECT} WHERE {column} = ?", value)
        return Label(**row) if row else None
