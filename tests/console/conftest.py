"""The console in a real browser, against a shop's own API, worker and simulators."""

import asyncio
import os
import shutil
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from console.app import create_app
from console.settings import ConsoleSettings
from cryptography.fernet import Fernet
from devstack.ports import HOST, free_ports
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from pydantic import SecretStr
from temporalio.client import Client

from tests.conftest import API, OpenShop, Work
from tests.console.street import Street
from tests.support.links import LINK_KEYS
from tests.support.peers import Host
from tests.support.postbox import receiving_mail
from tests.support.shop import Shop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PEOPLE = {
    "grace": "orders:operate refunds:write events:read stock:read",
    "alan": "approvals events:read",
    "flo": "refunds:any money:read events:read",
    "wim": "fulfil stock:write",
    "ada": "admin",
}
KEY = Fernet.generate_key().decode()
LIGHT, DARK = "light", "dark"


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextmanager
    def capture_signals(self) -> Any:
        yield  # they are pytest's


@asynccontextmanager
async def serving(settings: ConsoleSettings) -> AsyncIterator[Any]:
    """The console on a port of its own, from entering to leaving."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        port=settings.console_port,
        log_config=None,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve())
    await server.is_up.wait()
    try:
        yield app
    finally:
        app.state.draining.set()
        server.should_exit = True
        await running


@dataclass
class Seen:
    """A page, and everything that a browser complains about on it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    async def go(self, path: str) -> Page:
        await self.page.goto(self.url + path)
        return self.page

    async def reads(self, text: str) -> None:
        """Waits until the page says so."""
        await self.page.get_by_text(text).first.wait_for()


Browse = Callable[..., Awaitable[Seen]]


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing("no chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        await browser.close()


@pytest.fixture
def console_settings(host: Host, free_port: int) -> ConsoleSettings:
    return ConsoleSettings(
        console_auth="disabled-loopback-only",
        console_people=PEOPLE,
        console_url=f"http://127.0.0.1:{free_port}",
        console_port=free_port,
        console_api_url=f"{host.url}/{API}",
        console_session_keys=SecretStr(KEY),
    )


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def console(shop: Shop, console_settings: ConsoleSettings) -> AsyncIterator[str]:
    async with serving(console_settings):
        yield console_settings.console_url


@pytest.fixture
async def browse(chromium: Browser, console: str) -> AsyncIterator[Browse]:
    """`await browse("grace")`: somebody's own browser, signed in. No page may complain,
    and nothing may run that its policy forbids."""
    async with AsyncExitStack() as stack:
        opened: list[Seen] = []

        async def open_it(
            name: str, *, width: int = 1280, height: int = 900, scheme: Any = LIGHT
        ) -> Seen:
            context = await chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            stack.push_async_callback(context.close)
            await sign_in(context, console, name)
            seen = Seen(await context.new_page(), console)
            _listen(seen)
            opened.append(seen)
            return seen

        yield open_it
        complaints = [c for seen in opened for c in seen.complaints]
    assert complaints == []


def _listen(seen: Seen) -> None:
    def said(message: Any) -> None:
        if message.type in ("error", "warning"):
            seen.complaints.append(message.text)

    seen.page.on("console", said)
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))


async def sign_in(context: BrowserContext, console: str, name: str) -> None:
    answer = await context.request.post(
        f"{console}/sign-in",
        form={"name": name, "next": "/"},
        headers={"Origin": console},
        max_redirects=0,
    )
    assert answer.status == 303


@pytest.fixture
async def visitor(console: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a browser, whom nothing keeps from sending anything."""
    async with httpx2.AsyncClient(base_url=console, trust_env=False) as http:
        yield http


def key() -> str:
    return str(uuid.uuid4())


@pytest.fixture
async def street(
    chromium: Browser,
    console_settings: ConsoleSettings,
    open_shop: OpenShop,
    temporal: Client,
    work: Work,
    tmp_path: Path,
) -> AsyncIterator[Street]:
    url, port = console_settings.console_url, free_ports().smtp
    async with (
        receiving_mail(tmp_path / "mail", port) as postbox,
        open_shop(
            temporal,
            order_link_keys=LINK_KEYS,
            console_url=url,
            api_stranger_limit="9/minute",
        ) as shop,
        work(
            smtp_host=HOST,
            smtp_port=port,
            smtp_tls=False,
            mail_from="Tea Shop <orders@example.com>",
            order_link_keys=LINK_KEYS,
            shop_order_url=f"{url}/o/{{token}}",
            shop_return_url=f"{url}/o/{{token}}?label={{return_id}}",
        ),
        serving(
            console_settings.model_copy(
                update={
                    "console_shop_name": "Tea Shop",
                    "console_card_url": f"{shop.payments.url}/_sim/card?back={{back}}",
                }
            )
        ),
    ):
        yield Street(url, shop, postbox, chromium)
