"""Customers without an account, and their telephones."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Page

from tests.support.postbox import Postbox
from tests.support.shop import Shop


@dataclass
class Street:
    """Where customers live: a shop that sends mail, and the pages that it leads to."""

    url: str
    shop: Shop
    postbox: Postbox
    chromium: Browser

    async def link(self, about: str, mails: int) -> str:
        """That of the mail with these words in its subject, of so many."""
        found = await self.postbox.until(mails)
        (mail,) = (mail for mail in found if about in mail.subject)
        (link,) = map(str, set(re.findall(rf"{self.url}/o/[\w.-]+", mail.text)))
        return link

    @asynccontextmanager
    async def browser(
        self, *, width: int = 320, scripts: bool = False, **how: Any
    ) -> AsyncIterator[Page]:
        """Of somebody with a narrow telephone, and without scripts unless a test brings
        its own. No page of ours may complain."""
        size = {"width": width, "height": 640}
        context = await self.chromium.new_context(
            viewport=size,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            **how,
        )
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text))
        yield page
        await context.close()
        assert [c for c in complaints if "status of 4" not in c] == []
