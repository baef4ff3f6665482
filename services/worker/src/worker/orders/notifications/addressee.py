"""Whom a message about an order is for, and what the order is when it is sent."""

from pydantic import BaseModel
from shared.database.orders.links import ADDRESS_REVISION
from shared.database.orders.snapshot import OrderSnapshot, snapshot_of

from worker.runtime.registry import Message


class Addressee(BaseModel):
    name: str | None
    email: str | None
    """Nobody, where it was erased."""
    locale: str | None
    revision: int
    order: OrderSnapshot


def addressee_of(message: Message) -> Addressee:
    return Addressee.model_validate_json(message.context or "")


ADDRESSEE = f"""
    SELECT json_build_object('name', name, 'email', email, 'locale', locale,
      'revision', {ADDRESS_REVISION},
      'order', cast(({snapshot_of("contacts.order_id")}) AS json))::text
    FROM contacts WHERE order_id = messages.subject
"""  # noqa: S608 - our own words
"""SQL that reads it of a row of `messages`."""
