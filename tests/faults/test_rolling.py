"""A release replaces the processes one after the other, and nobody notices."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
from devstack.ports import HOST, free_ports
from devstack.probe import answers
from devstack.subprocess import Process

from tests.faults.balancer import Balancer
from tests.faults.customers import an_order
from tests.faults.people import Town
from tests.faults.system import System

CUSTOMERS = 4
PAUSE_SECONDS = 0.02
"""Between two requests; else they take the processor from the API that starts."""
LOOKS = 4
"""How often each looks for each order: every order is work that outlasts the test."""
GRACE_SECONDS = 30.0
"""As long as a cluster gives a pod."""


@asynccontextmanager
async def another(process: Process, http: httpx2.AsyncClient) -> AsyncIterator[Process]:
    """A process of the API like this one, on ports of its own."""
    command, ports = process.command, free_ports()
    name = f"api-{ports.api}"
    released = Process(
        replace(
            command,
            name=name,
            log=command.log.with_name(f"{name}.log"),
            environment={
                **command.environment,
                "API_PORT": str(ports.api),
                "METRICS_PORT": str(ports.api_metrics),
            },
            ready=lambda: answers(http, f"http://{HOST}:{ports.api}/ready"),
        )
    )
    await released.start()
    try:
        yield released
    finally:
        await released.stop()


def port(process: Process) -> int:
    return int(process.command.environment["API_PORT"])


class Customers:
    """They order and look, one request after the other, over connections they keep.

    As browsers and ingresses do (RFC 9110, 9.2.2), they send again at once, and once,
    what met a connection that was just being closed: nobody can close an idle one
    without that.
    """

    def __init__(self, shop: httpx2.AsyncClient) -> None:
        self._shop = shop
        self.failed: list[str] = []
        self.served = 0

    async def come(self) -> None:
        """Until cancelled."""
        while True:
            key = {"Idempotency-Key": str(uuid.uuid4())}
            await asyncio.sleep(PAUSE_SECONDS)
            await self._ask(
                self._shop.build_request(
                    "POST", "/v1/orders", json=an_order(), headers=key
                )
            )
            for _ in range(LOOKS):
                await asyncio.sleep(PAUSE_SECONDS)
                await self._ask(self._shop.build_request("GET", "/v1/orders?limit=5"))

    async def _ask(self, request: httpx2.Request) -> None:
        try:
            answer = await self._send(request)
        except httpx2.TransportError as error:
            self.failed.append(f"{request.method} {request.url}: {error!r}")
        else:
            self.served += 1
            if not answer.is_success:
                self.failed.append(f"{request.method} {request.url}: {answer.text}")

    async def _send(self, request: httpx2.Request) -> httpx2.Response:
        try:
            return await self._shop.send(request)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            return await self._shop.send(request)


async def test_no_request_fails_while_the_api_is_replaced(
    system: System, town: Town
) -> None:
    api = system.stack["api"]
    async with (
        another(api, town.http) as first,
        another(api, town.http) as second,
        Balancer(town.http, [port(first), port(second)]).running() as balancer,
        httpx2.AsyncClient(
            base_url=f"http://{HOST}:{balancer.port}", trust_env=False, timeout=30
        ) as shop,
    ):
        customers = Customers(shop)
        coming = [asyncio.create_task(customers.come()) for _ in range(CUSTOMERS)]
        for process in (first, second):
            await process.stop(GRACE_SECONDS)
            assert process.exit_code == 0
            await process.start()
            await balancer.gives_to(port(process))
        for customer in coming:
            customer.cancel()
        await asyncio.wait(coming)
    assert customers.failed == []
    assert customers.served
