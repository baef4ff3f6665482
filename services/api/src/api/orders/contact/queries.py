"""Reads of contacts."""

from shared.contracts.orders.addresses import check_address
from sqlalchemy import text

from api.http.dependencies import Dependencies
from api.orders.contact.schemas import Contact


async def read_contact(deps: Dependencies, order_id: str) -> Contact:
    """Read the contact of an order that exists."""
    async with deps.engine.connect() as connection:
        row = await connection.scalar(_CONTACT, {"id": order_id})
    contact = Contact.model_validate_json(row)
    if contact.ship_to is None:
        return contact
    given = contact.ship_to.model_dump(exclude_none=True)
    return contact.model_copy(update={"wrong": check_address(given).wrong})


_CONTACT = text("SELECT row_to_json(c)::text FROM contacts c WHERE order_id = :id")
