"""The links in orders' mails."""

from shared.database.engine import Engine
from shared.database.orders.links import ADDRESS_REVISION
from shared.platform.links import Link
from sqlalchemy import text


async def link_is_good(engine: Engine, link: Link) -> bool:
    """Whether a link still counts: not once the customer was erased, nor if it was
    mailed to an address that was corrected since, which may be a stranger's."""
    async with engine.connect() as connection:
        revision = await connection.scalar(_REVISION, {"id": link.subject})
    return bool(revision == link.revision)


_REVISION = text(
    f"SELECT {ADDRESS_REVISION} FROM contacts"  # noqa: S608 - our own
    " WHERE order_id = :id AND erased_at IS NULL"
)
