"""Limits how many mails an address gets within an hour, whichever worker sends them.

Anybody may place an order with somebody else's address, which must not be flooded.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256

from shared.database.engine import Engine
from sqlalchemy import TextClause, text

from worker.runtime.registry import Undeliverable


class MailLimit:
    def __init__(self, engine: Engine, mails_per_hour: int) -> None:
        self._engine = engine
        self._mails = mails_per_hour

    @asynccontextmanager
    async def counting(self, address: str) -> AsyncIterator[None]:
        """Count a mail while it is sent. Raises `Undeliverable` once the limit is
        reached. A repeated try of one mail counts once."""
        values = {"address": _hash(address), "limit": self._mails}
        if await self._run(_COUNT, values) is None:
            raise Undeliverable("enough mails to this address")
        try:
            yield
        except Undeliverable:
            raise
        except BaseException:
            await self._run(_TAKE_BACK, {"address": values["address"]})
            raise

    async def _run(self, statement: TextClause, values: dict[str, object]) -> object:
        async with self._engine.connect() as connection:
            return await connection.scalar(statement, values)


def _hash(address: str) -> bytes:
    """A hash of the mailbox: some providers deliver `ada+anything@` to `ada@`."""
    local_part, _, domain = address.lower().rpartition("@")
    return sha256(f"{local_part.partition('+')[0]}@{domain}".encode()).digest()


_COUNT = text(
    """
    INSERT INTO mails_sent AS m (address, hour, mails)
    VALUES (:address, date_trunc('hour', now()), 1)
    ON CONFLICT (address, hour) DO UPDATE SET mails = m.mails + 1
    WHERE m.mails < :limit
    RETURNING mails
    """
)
_TAKE_BACK = text(
    """
    UPDATE mails_sent SET mails = mails - 1
    WHERE address = :address AND hour = date_trunc('hour', now())
    RETURNING mails
    """
)
