"""Reads of contacts."""

from sqlalchemy import text

from api.http.services import Services
from api.orders.contact.schemas import Contact


async def read_contact(services: Services, order_id: str) -> Contact:
    """Of an order that is there."""
    async with services.engine.connect() as connection:
        row = await connection.scalar(_CONTACT, {"id": order_id})
    return Contact.model_validate_json(row)


_CONTACT = text("SELECT row_to_json(c)::text FROM contacts c WHERE order_id = :id")
