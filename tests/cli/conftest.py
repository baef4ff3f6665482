"""The command line as somebody at a terminal has it, against a shop's own API."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from cli.app import app
from cli.problems import CliError
from typer.testing import CliRunner

from tests.conftest import API
from tests.support.peers import Host, Json
from tests.support.shop import Shop


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        document: Json = json.loads(self.out)
        return document


Orders = Callable[..., Awaitable[Said]]


@pytest.fixture
def orders(shop: Shop, host: Host) -> Orders:
    """`await orders("list", "-o", "json", user="grace")`."""

    async def run(
        *arguments: str, user: str = "grace", scopes: str | None = None, **env: str
    ) -> Said:
        environment = {
            "ORDERS_API_URL": f"{host.url}/{API}",
            "ORDERS_USER": user,
            "ORDERS_SCOPES": scopes,
            **env,
        }
        # In a thread: the API is served by this one.
        done = await asyncio.to_thread(
            CliRunner().invoke, app, arguments, env=environment
        )
        if isinstance(done.exception, CliError):
            # As `python -m cli` shows it.
            return Said(1, done.stdout, str(done.exception))
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Said(done.exit_code, done.stdout, done.stderr)

    return run
