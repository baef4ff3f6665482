"""Verifies webhooks, and takes over the little of them that is needed.

Only ids and states are kept, so the inbox holds no personal data; the worker asks the
provider for anything else.
"""

import hashlib
import hmac
import json
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.orders.webhooks import SUBSCRIBED_EVENTS

from api.http.problems import Problem
from api.kernel.standard_webhooks import signature

TOLERANCE_SECONDS = 300
"""An older signature may be a replay."""
OLDEST_EVENT = timedelta(days=30)
"""EasyPost's signature has no time, but the signed event does. A younger event that is
replayed is known by its id, which the inbox remembers for longer."""

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Received:
    """A verified event. `payload` is what the worker needs of it."""

    event_id: str
    type: str
    payload: Mapping[str, object]


Verify = Callable[[str, Headers, bytes], Received | None]
"""(secret, headers, body) → event, or nothing that anybody here needs.

Raises `Problem` invalid-signature or malformed."""


def stripe(secret: str, headers: Headers, body: bytes) -> Received | None:
    """`Stripe-Signature: t=…,v1=…`: HMAC-SHA256 of the time, a dot and the body."""
    parts = [
        part.strip().partition("=")
        for part in headers.get("stripe-signature", "").split(",")
    ]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    _check_age(timestamp)
    expected = _hmac(secret.encode(), timestamp.encode() + b"." + body).hex()
    _check(expected, [value for name, _, value in parts if name == "v1"])
    event = _document(body)
    kind = _text(event, "type")
    if kind not in SUBSCRIBED_EVENTS:
        return None
    found = _member(event, "data", "object")
    if "id" not in found:
        return None  # such as a balance, which no order has
    own_id = _text(found, "id")
    what = _optional(found, "object")
    is_intent = what == "payment_intent"
    payload = {
        "object_id": own_id,
        "object": what,
        "payment_intent": own_id if is_intent else _optional(found, "payment_intent"),
    }
    return Received(_text(event, "id"), kind, payload)


def carrier(secret: str, headers: Headers, body: bytes) -> Received | None:
    """Standard Webhooks."""
    event_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    _check_age(timestamp)
    # That the secret is base64 was checked with the settings.
    expected = signature(secret, event_id, timestamp, body)
    _check(expected, headers.get("webhook-signature", "").split(" "))
    event = _document(body)
    if not _is_word(event_id):
        # All events without an id would look like one.
        raise _malformed()
    return Received(event_id, _text(event, "type"), _scan(_member(event, "data")))


def easypost(secret: str, headers: Headers, body: bytes) -> Received | None:
    """`X-Hmac-Signature: hmac-sha256-hex=…` over the body alone."""
    key = unicodedata.normalize("NFKD", secret).encode()
    expected = "hmac-sha256-hex=" + _hmac(key, body).hex()
    _check(expected, [headers.get("x-hmac-signature", "")])
    event = _document(body)
    if datetime.now(UTC) - _moment(event, "created_at") > OLDEST_EVENT:
        raise _invalid()
    kind = _text(event, "description")
    if not kind.startswith("tracker."):
        return None
    result = _member(event, "result")
    scan = {
        "tracking": result.get("tracking_code"),
        "status": result.get("status"),
        "occurred_at": result.get("updated_at"),
    }
    return Received(_text(event, "id"), kind, _scan(scan))


def _scan(data: Mapping[str, Any]) -> Mapping[str, object]:
    _moment(data, "occurred_at")
    return {name: _text(data, name) for name in ("tracking", "status", "occurred_at")}


def _moment(document: Mapping[str, Any], name: str) -> datetime:
    """A time with a zone, within PostgreSQL's range."""
    try:
        moment = datetime.fromisoformat(_text(document, name))
    except ValueError:
        raise _malformed() from None
    if moment.tzinfo is None or not 1970 <= moment.year <= 2999:
        raise _malformed()
    return moment


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _check_age(timestamp: str) -> None:
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise _invalid()
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        raise _invalid()


def _check(expected: str, offered: list[str]) -> None:
    wanted = expected.encode()
    # Compares all signatures, in constant time: while a key is replaced, there are two.
    fits = [hmac.compare_digest(wanted, one.encode()) for one in offered]
    if not any(fits):
        raise _invalid()


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _malformed() from None
    if not isinstance(document, dict):
        raise _malformed()
    return document


def _member(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        document = document.get(name)  # type: ignore[assignment]
        if not isinstance(document, dict):
            raise _malformed()
    return document


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not _is_word(value):
        raise _malformed()
    return value


def _is_word(value: str) -> bool:
    return 0 < len(value) <= 200 and value.isprintable()


def _optional(document: Mapping[str, Any], name: str) -> str | None:
    """An id, not the object that may stand in its place."""
    return _text(document, name) if isinstance(document.get(name), str) else None


def _invalid() -> Problem:
    return Problem("invalid-signature", "The signature does not fit the body.")


def _malformed() -> Problem:
    return Problem("malformed", "This is not an event of that source.")
