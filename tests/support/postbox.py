"""A mail server whose mails a test waits for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from devstack.mail import Mail, Mailbox, create_app

from tests.support.shop import PATIENCE_SECONDS


class Postbox(Mailbox):
    """Wakes whoever waits for mail."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def add(self, recipients: list[str], content: bytes) -> None:
        super().add(recipients, content)
        self._loop.call_soon_threadsafe(self._arrived.set)

    async def until(self, number: int) -> list[Mail]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(mails := self.all()) < number:
                await self._arrived.wait()
                self._arrived.clear()
        return mails


@asynccontextmanager
async def receiving_mail(directory: Path, port: int) -> AsyncIterator[Postbox]:
    postbox = Postbox(directory)
    app = create_app(postbox, port)
    async with app.router.lifespan_context(app):
        yield postbox
