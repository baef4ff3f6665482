"""PostgreSQL, Temporal and the payment simulator, once for a whole run of the tests.

The process that controls the run (the only one, or the parent of the xdist workers)
starts them while the tests are collected; the workers wait for them when a test needs
them. `tests/conftest.py` calls `start` and `stop`, and lends each test what it needs.

A test is alone in its own database and its own namespace. All of it lives in a
temporary directory that goes with the controlling process, also when that is killed.

To keep it running between runs, `python -m tests.support.infrastructure` starts it and
prints the variable by which later runs find it.
"""

import asyncio
import json
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from devstack.ports import PortTaken, free_ports
from devstack.postgres import create_database, database_url, drop_database
from devstack.stack import Options, Stack
from devstack.subprocess import PartFailed
from google.protobuf.duration_pb2 import Duration
from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from tests.support.databases import IdleDatabases

DIRECTORY = "ORDERS_TEST_INFRASTRUCTURE"
"""The environment variable that tells the workers where to read the addresses."""

_PARTS = ("postgres", "migrations", "temporal", "payments")
_ADDRESSES, _FAILURE = "addresses.json", "failure.txt"
_KEPT_FOR = timedelta(days=1)
_PROMPTLY = {
    # A workflow is deleted once its end is noted down: by default every 30 seconds.
    "history.transferProcessorUpdateAckInterval": '"1s"',
    # A task that failed, or whose worker is gone, is handed out again: by default after
    # 10.
    "history.defaultWorkflowTaskTimeout": '"4s"',
    # A long history is cut: by default after 4,096 events.
    "limit.historyCount.suggestContinueAsNew": "500",
}
"""What the tests would only wait for."""


@dataclass(frozen=True)
class Services:
    """Where the services are, and a place of one's own in each."""

    postgres: str
    temporal: str
    payments: str
    template: str

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The URL of an empty, migrated database for the length of the block."""
        name = f"test_{uuid.uuid4().hex}"
        try:
            yield await create_database(self.postgres, name, template=self.template)
        finally:
            await drop_database(self.postgres, name)

    @asynccontextmanager
    async def lent_database(self) -> AsyncIterator[str]:
        """The same, for tests that leave its tables as they are.

        It is emptied and used again afterwards: making and dropping one takes longer
        than many a test. After a failure, or with other tables, it is not.
        """
        url = _IDLE_DATABASES.take()
        if url is None:
            name = f"test_{uuid.uuid4().hex}"
            url = await create_database(self.postgres, name, template=self.template)
            await _IDLE_DATABASES.know(url)
        kept = False
        try:
            yield url
            kept = await _IDLE_DATABASES.give_back(url)
        finally:
            if not kept:
                await drop_database(self.postgres, url.rpartition("/")[2])

    async def namespace(self) -> str:
        """A new Temporal namespace with the search attributes that workers need.

        It lives as long as the server, and what is left running in it disturbs nobody.
        """
        name = f"test-{uuid.uuid4()}"
        client = await Client.connect(self.temporal)
        retention = Duration()
        retention.FromTimedelta(_KEPT_FOR)
        await client.workflow_service.register_namespace(
            RegisterNamespaceRequest(
                namespace=name, workflow_execution_retention_period=retention
            )
        )
        attributes = AddSearchAttributesRequest(namespace=name)
        for key in SEARCH_ATTRIBUTES:
            kind = IndexedValueType.ValueType(key.indexed_value_type)
            attributes.search_attributes[key.name] = kind
        await client.operator_service.add_search_attributes(attributes)
        return name

    @asynccontextmanager
    async def lent_namespace(self) -> AsyncIterator[str]:
        """A namespace that no other test has at this time, and nothing runs in.

        It is used again afterwards: the server runs workers of its own for each that
        it has, and with hundreds of them does little else.
        """
        name = _IDLE.pop() if _IDLE else await self.namespace()
        yield name
        if await _is_clear(await Client.connect(self.temporal, namespace=name)):
            _IDLE.append(name)


_IDLE_DATABASES = IdleDatabases()

_IDLE: list[str] = []
"""Namespaces of this test process that are free to be lent again."""


async def _is_clear(client: Client) -> bool:
    """Ends what a test left running. Schedules are not undone: such a namespace is
    left alone."""
    async for _ in await client.list_schedules():
        return False
    async for left in client.list_workflows("ExecutionStatus = 'Running'"):
        with suppress(RPCError):  # it has ended meanwhile
            await client.get_workflow_handle(left.id).terminate("the test is over")
    return True


def start(config: pytest.Config) -> None:
    """Begin to start the services, unless they run already. Returns at once."""
    if DIRECTORY not in os.environ:
        config.stash[_STARTED] = holder = _Holder()
        os.environ[DIRECTORY] = str(holder.directory)
        if config.option.basetemp is None:
            # pytest's own is closed to PostgreSQL's user whenever another run begins.
            config.option.basetemp = str(holder.directory / "pytest")
        holder.start()


def stop(config: pytest.Config) -> None:
    """Stop what `start` of this process has started."""
    if (holder := config.stash.get(_STARTED, None)) is not None:
        holder.stop()
        del os.environ[DIRECTORY]


def services(seconds: float = 60) -> Services:
    """The services, once they are ready. Raises `PartFailed` if they do not come up."""
    directory = Path(os.environ[DIRECTORY])
    addresses, failure = directory / _ADDRESSES, directory / _FAILURE
    deadline = time.monotonic() + seconds
    while not addresses.exists():
        if failure.exists():
            raise PartFailed(failure.read_text())
        if time.monotonic() > deadline:
            raise PartFailed(f"no services in {directory} after {seconds:g} s")
        # The controlling process makes the file.
        time.sleep(0.05)
    return Services(**json.loads(addresses.read_text()))


class _Holder:
    """Runs the stack in a thread with an event loop, which pytest does not have yet."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="orders-tests-"))
        self._end = asyncio.Event()
        self._begun = threading.Event()
        # A daemon: it must not keep a crashed run from ending.
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._begun.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _run(self) -> None:
        asyncio.run(self._hold_until_told())

    async def _hold_until_told(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun.set()
        holding = asyncio.create_task(self._hold())
        await self._end.wait()
        holding.cancel()
        await asyncio.wait({holding})

    async def _hold(self) -> None:
        options = Options(
            data=self.directory,
            ports=free_ports(),
            parts=_PARTS,
            durable=False,
            ui=False,
            dynamic_config=_PROMPTLY,
            remove=self.directory,
        )
        try:
            async with Stack(options) as stack:
                self._publish(_ADDRESSES, json.dumps(asdict(_services_of(stack))))
                await asyncio.Event().wait()
        except (PartFailed, PortTaken) as failure:
            self._publish(_FAILURE, str(failure))

    def _publish(self, name: str, content: str) -> None:
        # A stack that failed has taken its directory with it.
        self.directory.mkdir(exist_ok=True)
        draft = self.directory / f"{name}.new"
        draft.write_text(content)
        draft.replace(self.directory / name)


_STARTED = pytest.StashKey[_Holder]()


def _services_of(stack: Stack) -> Services:
    return Services(
        # Not the migrated database itself: a template must have no connections.
        postgres=database_url(stack.options.ports.postgres, "postgres"),
        temporal=stack.at.temporal,
        payments=stack.at.payments,
        template=stack.at.database.rpartition("/")[2],
    )


def _main() -> None:
    holder = _Holder()
    holder.start()
    print(f"export {DIRECTORY}={holder.directory}", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    holder.stop()


if __name__ == "__main__":
    _main()
