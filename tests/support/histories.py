"""The payloads of a history, wherever in its events they are."""

from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload


def payloads_of(
    message: Message, place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Payload]]:
    """Each with the names of the fields that lead to it."""
    if isinstance(message, Payload):
        yield place, message
        return
    for field, value in message.ListFields():
        here = (*place, field.name)
        for name, child in _children(value):
            yield from payloads_of(child, (*here, name) if name else here)


def _children(value: Any) -> Iterable[tuple[str, Message]]:
    if isinstance(value, Message):
        return [("", value)]
    if hasattr(value, "items"):
        return [(str(key), v) for key, v in value.items() if isinstance(v, Message)]
    if isinstance(value, str | bytes | int | float):
        return []
    return [("", item) for item in value if isinstance(item, Message)]
