"""A shop's servers, and beside them the API and the worker of two commits."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
from devstack.ports import free_ports
from devstack.services import Addresses, Services
from devstack.stack import Options, Stack
from devstack.subprocess import Command, Process

SERVERS = ("postgres", "temporal", "payments", "carrier", "mail")
OWN_PORTS = ("api", "api_metrics", "worker", "deliverer")
DEPLOYMENT = "order-worker"
UNDERSTOOD = {"SHOP_ORDER_URL": "https://shop.example.com/orders/{order_id}"}
"""What the stack says in words that older builds do not know."""


@dataclass(frozen=True)
class Build:
    """The processes of one commit, on ports of their own, not started yet."""

    url: str
    migrations: Process
    worker: Process
    api: Process


class Builds:
    """Makes builds for the servers of one stack."""

    def __init__(
        self, stack: Stack, http: httpx2.AsyncClient, resources: AsyncExitStack
    ) -> None:
        self.stack = stack
        self._http = http
        self._resources = resources

    def add(
        self,
        name: str,
        settings: Mapping[str, str],
        python: Path = Path(sys.executable),
        *,
        public: bool = False,
    ) -> Build:
        """`public`: its API is where the providers send their webhooks. What is begun
        of it ends with the stack."""
        data = self.stack.options.data / name
        (data / "logs").mkdir(parents=True)
        free, shared = free_ports(), self.stack.options.ports
        own = {port: getattr(free, port) for port in OWN_PORTS}
        if public:
            own["api"] = shared.api
        at = Addresses(replace(shared, **own))
        services = Services(at, data, self._http, {**UNDERSTOOD, **settings})
        return Build(
            url=at.api,
            migrations=self._process(services.migrations(), python),
            worker=self._process(services.worker(), python),
            api=self._process(services.api(), python),
        )

    def _process(self, command: Command, python: Path) -> Process:
        process = Process(replace(command, argv=(str(python), *command.argv[1:])))
        self._resources.push_async_callback(process.stop)
        return process


def versioned(build: str) -> dict[str, str]:
    """The settings of a worker whose orders stay on it."""
    return {"TEMPORAL_DEPLOYMENT_NAME": DEPLOYMENT, "TEMPORAL_WORKER_BUILD_ID": build}


@asynccontextmanager
async def servers(data: Path) -> AsyncIterator[Builds]:
    options = Options(
        data=data,
        ports=free_ports(),
        parts=SERVERS,
        ui=False,
        # What is on its way stays there until somebody says that it has arrived.
        carrier_step_seconds=3600,
    )
    async with AsyncExitStack() as resources:
        http = await resources.enter_async_context(
            httpx2.AsyncClient(trust_env=False, timeout=20)
        )
        stack = await resources.enter_async_context(Stack(options))
        yield Builds(stack, http, resources)
