"""Labels come from where the carrier keeps them, and nothing sends us elsewhere."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from api.app import create_app
from api.orders.shipment import labels
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from shared.database.engine import Engine
from shared.database.ids import new_id
from sqlalchemy import text

from tests.api.conftest import MakeSettings, running
from tests.api.shop import Shop, code
from tests.conftest import NOWHERE
from tests.support.peers import Host

PDF = b"%PDF-1.7"


@dataclass
class Depot:
    """Where a carrier keeps labels, and what it was asked for."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.scope["raw_path"].decode().rpartition("/")[2])
        match self.asked[-1]:
            case "moved.pdf":
                return Response(status_code=302, headers={"Location": self.url + "ok"})
            case "page.pdf":
                return Response("<p>Sign in</p>", media_type="text/html")
            case "no.pdf":
                return Response(b"\x7fELF", media_type="application/pdf")
            case "packed.pdf":
                return Response(
                    gzip.compress(PDF),
                    media_type="application/pdf",
                    headers={"Content-Encoding": "gzip"},
                )
            case "huge.pdf":
                return StreamingResponse(_endless(), media_type="application/pdf")
        return Response(PDF, media_type="application/pdf")


async def _endless() -> AsyncIterator[bytes]:
    yield PDF
    while True:
        yield b" " * 65536
        await asyncio.sleep(0)


@pytest.fixture
async def depot(host: Host, tmp_path: Path) -> AsyncIterator[Depot]:
    depot = Depot()
    app = FastAPI()
    app.add_api_route("/{path:path}", depot.answer)
    async with host.peer(app, f"{tmp_path.name}-depot") as peer:
        depot.url = peer.url + "/"
        yield depot


Ask = Callable[..., Awaitable[httpx2.Response]]
Packed = Callable[..., AbstractAsyncContextManager[Ask]]


@pytest.fixture
def packed(make_settings: MakeSettings, engine: Engine) -> Packed:
    """`ask(url=…)` for the label of a parcel that a worker has left in this form."""

    @asynccontextmanager
    async def packed(**changed: Any) -> AsyncIterator[Ask]:
        brief = timedelta(seconds=0.01)  # Temporal is not there
        app = create_app(make_settings(api_start_timeout=brief, **changed))
        async with running(app) as client:
            shop = Shop(client)
            await shop.sell()
            order = await shop.order()

            async def ask(
                ref: str = "lab_1", url: str | None = None
            ) -> httpx2.Response:
                shipment_id = await _labelled(engine, order["id"], ref, url)
                return await client.get(f"/v1/shipments/{shipment_id}/label")

            yield ask

    return packed


async def _labelled(engine: Engine, order_id: str, ref: str, url: str | None) -> str:
    shipment_id = new_id("shp")
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO shipments (id, order_id, location, status, captured_at,"
                " label_ref, label_url) VALUES (:id, :order_id, 'berlin', 'packed',"
                " now(), :ref, :url)"
            ),
            {"id": shipment_id, "order_id": order_id, "ref": ref, "url": url},
        )
    return shipment_id


async def test_a_label_is_fetched_from_the_carrier(
    packed: Packed, depot: Depot
) -> None:
    async with packed(carrier_api_base=depot.url) as ask:
        label = await ask()
    assert label.headers["content-type"] == "application/pdf"
    assert label.content == PDF
    assert depot.asked == ["lab_1.pdf"]


async def test_a_label_is_fetched_from_where_easypost_keeps_it(
    packed: Packed, depot: Depot
) -> None:
    async with packed(label_base=depot.url) as ask:
        assert (await ask(url=f"{depot.url}label.pdf")).content == PDF


async def test_a_file_that_is_no_label_is_not_passed_on(
    packed: Packed, depot: Depot
) -> None:
    names = ["moved.pdf", "page.pdf", "no.pdf", "packed.pdf", "huge.pdf"]
    async with packed(label_base=depot.url) as ask:
        for name in names:
            answer = await ask(url=depot.url + name)
            assert (answer.status_code, code(answer)) == (503, "unavailable"), name
    assert depot.asked == names, "and nobody follows it"


async def test_an_address_elsewhere_is_not_asked(packed: Packed, depot: Depot) -> None:
    host = httpx2.URL(depot.url).netloc.decode()
    async with packed(label_base=depot.url) as ask:
        for address in (
            "http://169.254.169.254/latest/meta-data/",
            f"http://{host}@169.254.169.254/",
            f"http://somebody@{host}/label.pdf",
            f"https://{host}/label.pdf",
            f"http://{host}.example.com/label.pdf",
            "file:///etc/passwd",
            f"//{host}/label.pdf",
            "http://[::1",
            "nonsense",
        ):
            answer = await ask(url=address)
            assert (answer.status_code, code(answer)) == (503, "unavailable"), address
    assert depot.asked == []


async def test_a_reference_is_no_path(packed: Packed, depot: Depot) -> None:
    async with packed(carrier_api_base=depot.url) as ask:
        await ask(ref="../../x?y#z")
    assert depot.asked == ["..%2F..%2Fx%3Fy%23z.pdf"]


async def test_a_carrier_that_takes_its_time_is_not_waited_for(
    packed: Packed, depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(labels, "MAX_BYTES", 10**12)
    async with packed(label_base=depot.url) as ask:
        answer = await ask(url=f"{depot.url}huge.pdf")
    assert (answer.status_code, code(answer)) == (503, "unavailable")


async def test_a_carrier_that_is_down_is_no_fault_of_the_caller(packed: Packed) -> None:
    async with packed(carrier_api_base=f"http://{NOWHERE}") as ask:
        answer = await ask()
    assert (answer.status_code, code(answer)) == (503, "unavailable")
