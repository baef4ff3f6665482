"""The API as a process: probes, its description, its start and its stop."""

import asyncio
import json
import os
import signal
import sys
import uuid
from pathlib import Path

import httpx2
import psutil
import pytest
from api.__main__ import main, openapi_document
from api.app import create_app
from devstack.ports import free_ports
from fastapi import FastAPI
from shared.database.engine import Engine
from sqlalchemy import make_url, text
from temporalio.client import Client

from tests.api.conftest import MakeSettings, running
from tests.api.serving import events
from tests.api.shop import Shop, code
from tests.conftest import NOWHERE

COMMITTED = Path(__file__).parents[2] / "services/api/openapi.json"


def test_the_committed_description_is_the_current_one() -> None:
    assert COMMITTED.read_text() == openapi_document(), (
        "write it anew: uv run python -m api openapi > services/api/openapi.json"
    )


def test_every_operation_is_described() -> None:
    document = json.loads(openapi_document())
    operations = [
        operation for path in document["paths"].values() for operation in path.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    described = [o for o in operations if o["operationId"] not in UNPROTECTED]
    assert all(
        {"401", "403"} <= operation["responses"].keys() for operation in described
    )
    assert [o["operationId"] for o in operations if not o.get("description")] == []


def test_every_command_has_a_body_that_is_read() -> None:
    """What has none would not be read by FastAPI, and then by whom? That of a DELETE
    has no meaning (RFC 9110, 9.3.5)."""
    paths = json.loads(openapi_document())["paths"].values()
    bare = ("get", "delete")
    commands = [o for path in paths for method, o in path.items() if method not in bare]
    assert [o["operationId"] for o in commands if "requestBody" not in o] == []


def answers_of(operation: str) -> dict[str, set[str]]:
    """The headers that are described, by status."""
    document = json.loads(openapi_document())
    [found] = [
        found
        for path in document["paths"].values()
        for found in path.values()
        if found["operationId"] == operation
    ]
    shared = document["components"]["responses"]
    answers = {
        status: shared[answer["$ref"].rpartition("/")[2]]
        if "$ref" in answer
        else answer
        for status, answer in found["responses"].items()
    }
    return {status: set(a.get("headers", ())) for status, a in answers.items()}


def test_the_headers_of_answers_are_described() -> None:
    placed = answers_of("place_order")
    assert placed["201"] == {
        *("Location", "ETag", "Preference-Applied", "Idempotency-Replayed"),
    }
    assert placed["503"] == placed["429"] == {"Retry-After"}
    assert answers_of("list_orders")["200"] == {"Link"}
    assert answers_of("get_order")["304"] == {"ETag"}


def test_the_headers_that_a_request_needs_are_required() -> None:
    document = json.loads(openapi_document())
    needed = {
        (parameter["name"], parameter["required"])
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] in ("idempotency-key", "if-match")
    }
    assert needed == {("idempotency-key", True), ("if-match", True)}


UNPROTECTED = ("list_problems", "get_problem", "receive_webhook")


async def test_it_is_healthy_as_soon_as_it_runs(client: httpx2.AsyncClient) -> None:
    # And says nothing else: anybody may ask.
    assert (await client.get("/health")).json() == {"status": "ok"}


async def test_it_is_ready_without_temporal(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/ready")
    assert answer.status_code == 200
    assert answer.json()["temporal"] == "unreachable"


async def test_it_tells_that_temporal_is_there(
    live_client: httpx2.AsyncClient, temporal: Client
) -> None:
    assert (await live_client.get("/ready")).json()["temporal"] == "reachable"


async def test_however_many_ask_for_readiness_it_is_found_out_once(
    app: FastAPI, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to say who they are to ask, and the database is needed for orders."""
    asked: list[None] = []
    looks = app.state.deps.engine.connect

    def keep() -> object:
        asked.append(None)
        return looks()

    monkeypatch.setattr(app.state.deps.engine, "connect", keep)

    answers = await asyncio.gather(*(client.get("/ready") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    many = len(asked)
    await client.get("/ready")
    assert many == len(asked) - many


async def test_it_is_not_ready_without_its_database(
    make_settings: MakeSettings,
) -> None:
    nowhere = make_settings(database_url="postgresql://postgres@127.0.0.1:1/nowhere")
    async with running(create_app(nowhere)) as client:
        answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["database"] == "unreachable"


@pytest.mark.parametrize("limit", ["LOGIN CONNECTION LIMIT 0", "NOLOGIN"])
async def test_a_database_that_lets_nobody_in_makes_it_unavailable(
    make_settings: MakeSettings, database: str, engine: Engine, limit: str
) -> None:
    role = f"outside_{uuid.uuid4().hex}"
    async with engine.begin() as connection:
        await connection.execute(text(f"CREATE ROLE {role} {limit}"))
    outside = make_url(database).set(username=role).render_as_string(False)
    async with running(create_app(make_settings(database_url=outside))) as client:
        ready = await client.get("/ready")
        read = await client.get("/v1/products")
    assert (ready.status_code, ready.json()["database"]) == (503, "unreachable")
    assert (read.status_code, code(read)) == (503, "unavailable")
    assert read.headers["retry-after"]
    async with engine.begin() as connection:
        await connection.execute(text(f"DROP ROLE {role}"))


async def test_it_stays_ready_when_a_later_release_migrates(
    client: httpx2.AsyncClient, engine: Engine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9'"))
    assert (await client.get("/ready")).status_code == 200


async def test_it_is_not_ready_before_the_migrations(
    client: httpx2.AsyncClient, engine: Engine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("DROP TABLE alembic_version"))
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["database"] == "migrations missing"


async def start(**environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], **environment},
    )


async def test_the_process_says_every_reason_why_it_does_not_start() -> None:
    process = await start(API_PORT="x", PUBLIC_URL="nothing")
    _, told = await process.communicate()
    assert process.returncode == 2
    assert all(n in told.decode() for n in ("DATABASE_URL", "API_PORT", "PUBLIC_URL"))


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_it_explains_itself(
    argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["api", argument])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip()


async def test_it_stops_although_something_in_the_background_does_not(
    app: FastAPI,
) -> None:
    ends = asyncio.Event()

    async def never_ends() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.set()

    async with running(app):
        app.state.deps.in_background(never_ends())
    assert ends.is_set()


async def test_it_listens_on_loopback_and_stops_well_with_a_stream_open(
    database: str,
) -> None:
    """Whatever it is told to listen on, as nobody has to say who they are."""
    ports = free_ports()
    port, metrics = ports.api, ports.api_metrics
    process = await start(
        DATABASE_URL=database,
        TEMPORAL_HOST=NOWHERE,
        API_AUTH="disabled-loopback-only",
        API_HOST="0.0.0.0",
        API_PORT=str(port),
        API_DRAIN="PT0.2S",
        METRICS_PORT=str(metrics),
        METRICS_HOST="127.0.0.1",
    )
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await _until_healthy(client, process)
            assert listens_on(port, process.pid) == {"127.0.0.1"}
            shop = Shop(client)
            await shop.sell()
            path = f"/v1/orders/{(await shop.order())['id']}/events"
            counted = await client.get(f"http://127.0.0.1:{metrics}/metrics")
            assert 'http_route="/v1/orders"' in counted.text
            accept = {"Accept": "text/event-stream"}
            async with client.stream("GET", path, headers=accept) as stream:
                heard = events(stream)
                await anext(heard)
                process.send_signal(signal.SIGTERM)
                assert [event async for event in heard] == []
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        output, _ = await process.communicate()
    assert '"route": "/v1/orders/{order_id}/events"' in output.decode()


def listens_on(port: int, pid: int) -> set[str]:
    return {
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }


async def _until_healthy(
    client: httpx2.AsyncClient, process: asyncio.subprocess.Process
) -> None:
    while True:
        assert process.returncode is None, "it ended: was its port taken?"
        try:
            if (await client.get("/health")).is_success:
                return
        except httpx2.TransportError:
            await asyncio.sleep(0.05)
