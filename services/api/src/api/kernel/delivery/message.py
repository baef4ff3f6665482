"""The content of webhooks."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.kernel.feed.presenter import show_event
from api.kernel.feed.queries import Position
from api.kernel.standard_webhooks import TEST, signature


@dataclass(frozen=True)
class Message:
    """An event as all endpoints receive it. `id` is the same in every attempt."""

    position: Position
    type: str
    subject: str
    at: datetime
    body: bytes

    @property
    def id(self) -> str:
        return str(self.position)

    @property
    def is_test(self) -> bool:
        return self.type == TEST


def message_of(event: Mapping[str, Any], hrefs: Mapping[str, str]) -> Message:
    """The message for a row of the feed."""
    shown = show_event(event, hrefs)
    body = shown.model_dump_json().encode()
    return Message(Position.of(event), shown.type, shown.subject, shown.at, body)


def headers(message: Message, secrets: Sequence[str]) -> Iterator[tuple[bytes, bytes]]:
    """The headers, signed with each secret: while there are two, the receiver may know
    only one."""
    timestamp = str(int(time.time()))
    signed = [signature(one, message.id, timestamp, message.body) for one in secrets]
    yield b"content-type", b"application/json"
    yield b"user-agent", b"order-services-webhooks/1"
    yield b"webhook-id", message.id.encode()
    yield b"webhook-timestamp", timestamp.encode()
    yield b"webhook-signature", " ".join(signed).encode()


def test_event(endpoint: str, position: Position, at: datetime) -> Mapping[str, Any]:
    """A test event, in the form of the feed."""
    return {
        "transaction_id": position.transaction_id,
        "id": position.id,
        "type": TEST,
        "subject": endpoint,
        "seq": 0,
        "at": at,
        "data": {},
    }
