"""A worker is ready when it could take an order now, and says why when not."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import SecretStr
from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
from shared.database.engine import Engine, create_engine
from shared.platform.connection import Connection
from shared.platform.settings import DatabaseSettings, TemporalSettings
from sqlalchemy import text
from temporalio import activity
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.worker import Worker
from worker.runtime.readiness import Readiness, missing_search_attributes
from worker.runtime.registry import Queue
from worker.runtime.service import build_worker

from tests.conftest import MakeWorkerSettings
from tests.support.infrastructure import Services


@activity.defn
async def nothing() -> None:
    """Something that a worker may do."""


@pytest.fixture
def one_worker(temporal: Client, worker_settings: MakeWorkerSettings) -> Worker:
    queue = Queue("nothing", activities=[nothing])
    return build_worker(temporal, queue, worker_settings())


@pytest.fixture
async def connection(services: Services, temporal: Client) -> AsyncIterator[Connection]:
    settings = TemporalSettings(
        temporal_host=services.temporal, temporal_namespace=temporal.namespace
    )
    connection = await Connection(settings).open()
    yield connection
    await connection.close()


@pytest.fixture
async def readiness(
    engine: Engine, connection: Connection, one_worker: Worker
) -> AsyncIterator[Readiness]:
    readiness = Readiness(engine)
    async with running(one_worker):
        readiness.connection = connection
        readiness.workers = [one_worker]
        yield readiness


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[None]:
    async with worker:
        async with asyncio.timeout(20):
            # Nothing tells when it has begun.
            while not worker.is_running:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield


async def test_it_is_ready_when_all_is_there(readiness: Readiness) -> None:
    assert await readiness.problems() == {}


async def test_it_is_not_ready_before_it_is_connected(engine: Engine) -> None:
    assert await Readiness(engine).problems() == {"temporal": "not connected yet"}


async def test_it_is_not_ready_without_workers(readiness: Readiness) -> None:
    readiness.workers = []
    assert list(await readiness.problems()) == ["temporal"]


async def test_it_is_not_ready_once_a_worker_has_stopped(
    engine: Engine, connection: Connection, one_worker: Worker
) -> None:
    readiness = Readiness(engine)
    readiness.connection, readiness.workers = connection, [one_worker]
    assert await readiness.problems() == {"temporal": "a worker has stopped"}


async def test_it_is_not_ready_while_it_drains(readiness: Readiness) -> None:
    readiness.draining = True
    assert await readiness.problems() == {"worker": "draining"}


async def test_it_is_not_ready_without_the_database(
    connection: Connection, one_worker: Worker
) -> None:
    settings = DatabaseSettings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing")
    )
    readiness = Readiness(create_engine(settings, application="test"))
    async with running(one_worker):
        readiness.connection, readiness.workers = connection, [one_worker]
        (problem,) = (await readiness.problems()).items()
    assert problem[0] == "database"
    assert problem[1].startswith("no answer")


async def test_it_is_not_ready_before_the_migrations(
    readiness: Readiness, engine: Engine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    (problem,) = (await readiness.problems()).values()
    assert problem.startswith("at migration None")


async def test_it_stays_ready_when_a_later_release_migrates(
    readiness: Readiness, engine: Engine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9'"))
    assert await readiness.problems() == {}


async def test_missing_search_attributes_are_named(services: Services) -> None:
    client = await Client.connect(services.temporal)
    bare = f"bare-{uuid.uuid4()}"
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=bare, workflow_execution_retention_period=Duration(seconds=86400)
        )
    )
    missing = await missing_search_attributes(
        await Client.connect(services.temporal, namespace=bare), SEARCH_ATTRIBUTES
    )
    assert len(missing) == len(SEARCH_ATTRIBUTES)


async def test_registered_search_attributes_are_not_missing(temporal: Client) -> None:
    assert not await missing_search_attributes(temporal, SEARCH_ATTRIBUTES)
