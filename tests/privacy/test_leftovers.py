"""A full day of a shop, and then nobody is found in what it left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx2
import pytest
from devstack.demo import CUSTOMER, play
from devstack.ports import free_ports
from devstack.services import Addresses, tracing
from devstack.stack import PARTS, Options, Stack
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from pydantic import SecretStr
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from shared.database.engine import connector, create_engine
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener
from shared.platform.converter import DATA_CONVERTER
from shared.platform.settings import DatabaseSettings
from temporalio.client import Client

from tests.privacy.everything import (
    Places,
    Refusals,
    collecting,
    histories,
    logs,
    pages,
    people_in,
)
from tests.privacy.scanning import rows_with, words_of
from tests.support.peers import Peer
from tests.support.shop import (
    ADDRESS,
    PERSONAL,
    Json,
    Refused,
    Shop,
    has_status,
)

# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(300)

CARDS = {"4242424242424242", "pm_card_"}
PEOPLE = words_of(PERSONAL) | words_of(CUSTOMER) | CARDS
FOR_PEOPLE = {"contacts", "notes", "holds", "idempotency_keys"}
"""Tables that know people: what was said of them, and who was told so."""

WITH_A_TRACE = {
    "traceparent": f"00-{'4b' * 16}-{'f0' * 8}-01",
    "tracestate": f"shop={PERSONAL['email']}",
    "baggage": f"buyer={PERSONAL['email']}",
}
"""What the services of a shop may tell one another with each request."""


@dataclass
class Day:
    """A system after a day of work, still running."""

    stack: Stack
    shop: Shop
    http: httpx2.AsyncClient
    refusals: Refusals
    spans: list[bytes]

    async def left(self) -> Places:
        at, data = self.stack.at, self.stack.options.data
        metrics = (f"{at.worker}/metrics", f"{at.api_metrics}/metrics")
        return {
            **await histories(self.shop.client),
            **logs(data / "logs"),
            **await pages(self.http, metrics),
            "spans": b"".join(self.spans),
            "problems": b"\n".join(self.refusals.bodies),
        }


@pytest.fixture
async def day(tmp_path: Path) -> AsyncIterator[Day]:
    ports, spans, refusals = free_ports(), list[bytes](), Refusals()
    options = Options(
        data=tmp_path,
        ports=ports,
        durable=False,
        ui=False,
        carrier_step_seconds=0.05,
        environment=tracing(Addresses(ports)),
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(collecting(spans, ports.traces))
        system = await stack.enter_async_context(Stack(options))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(trust_env=False, timeout=30)
        )
        shop = await a_shop_in(system, refusals, stack)
        yield Day(system, shop, http, refusals, spans)


async def a_shop_in(system: Stack, refusals: Refusals, stack: AsyncExitStack) -> Shop:
    at = system.at
    settings = DatabaseSettings(database_url=SecretStr(at.database))
    engine = create_engine(settings, application="test")
    stack.push_async_callback(engine.dispose)
    listener = Listener(connector(settings, application="test"), CHANNEL)
    listener.start()
    stack.push_async_callback(listener.stop)
    caller = httpx2.AsyncClient(
        base_url=at.api,
        trust_env=False,
        timeout=30,
        event_hooks={"response": [refusals]},
        headers=WITH_A_TRACE,
    )
    await stack.enter_async_context(caller)
    client = await Client.connect(at.temporal, data_converter=DATA_CONVERTER)
    # Parcels and payments are left to themselves here.
    nobody = cast(Peer, None)
    return Shop(caller, client, engine, listener, nobody, nobody)


async def test_nobody_is_found_in_what_a_day_leaves_behind(day: Day) -> None:
    at = day.stack.at
    await play("full", at, "the logs", lambda _: None)
    await trouble_at_the_providers(day)
    await one_that_is_declined_held_and_sent_back(day.shop)
    await one_that_is_cancelled(day.shop)
    await what_is_refused(day.shop)
    await what_is_not_found(day)
    await mails_are_out(day)

    left = await day.left()

    assert sum(place.startswith("workflow order/") for place in left) >= 4
    assert {f"log {part}.log" for part in PARTS} <= left.keys()
    for place in ("spans", "problems", f"page {at.worker}/metrics"):
        assert len(left[place]) > 1000
    assert people_in(left, PEOPLE) == {}
    # They were there: in the tables that are for people.
    known = await rows_with(at.database, words_of(PERSONAL))
    assert {"contacts", "notes"} <= known.keys() <= FOR_PEOPLE

    await people_are_planted(day)
    found = people_in(await day.left(), PEOPLE)
    assert {place.partition(" ")[0] for place in found} == {"workflow", "log", "spans"}
    assert {"workflow planted-input", "workflow planted-failure"} <= {
        place.rpartition(" ")[0] for place in found
    }


async def trouble_at_the_providers(day: Day) -> None:
    """Whatever fails is told of: in logs, in histories, in spans."""
    for peer, kind, path in (
        (day.stack.at.payments, "error", "POST /v1/payment_intents"),
        (day.stack.at.payments, "drop_answer", "capture"),
        (day.stack.at.carrier, "error", "POST /v1/labels"),
    ):
        fault = {"kind": kind, "path": path, "count": 1}
        (await day.http.post(f"{peer}/_sim/faults", json=fault)).raise_for_status()


async def one_that_is_declined_held_and_sent_back(shop: Shop) -> None:
    await shop.stock(TEA=2)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=2, bill_to=ADDRESS)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await shop.correct_address(order_id)
    await shop.hold_up(order_id, by="clerk")
    await shop.decide(order_id, HoldReason.MANUAL, "release")
    await shop.shipped(order_id)
    with pytest.raises(Refused, match="already-shipped"):
        await shop.cancel(order_id)
    await shop.ended(order_id)
    lines = [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]
    path, note = f"/v1/orders/{order_id}/returns", PERSONAL["note"]
    asked = await shop.post(path, {"lines": lines, "note": note})
    await shop.until(order_id, lambda order: order.returns[0].status == "approved")
    accepted = [{"line": 1, "accepted": 1, "disposition": "restock"}]
    await shop.post(f"/v1/returns/{asked['id']}/receive", {"lines": accepted})
    await shop.until(order_id, lambda order: order.returns[0].status == "closed")


async def one_that_is_cancelled(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.cancel(order_id)
    await shop.ended(order_id)


async def what_is_refused(shop: Shop) -> None:
    """People in places where they do not belong."""
    name, email = PERSONAL["name"], PERSONAL["email"]
    wrong: Json = {
        "contact": {"name": [name], "email": name, "phone": email},
        "ship_to": {**ADDRESS, "country": name, "floor": name},
    }
    for path, body in (
        ("/v1/orders", wrong),
        ("/v1/erasures", {"customer_id": email, "name": name}),
        ("/v1/stock/receipts", {"location": name, "lines": [{"sku": name}]}),
    ):
        with suppress(Refused):
            await shop.post(path, body)
    for query in ({"q": email}, {"status": name}, {"cursor": email}):
        await shop.http.get("/v1/orders", params=query)


async def what_is_not_found(day: Day) -> None:
    """Nor is anybody's name an address: but whoever asked for it is told of it."""
    for name in ("email", "phone"):
        path = f"/v1/orders/{quote(PERSONAL[name])}"
        missing = await day.http.get(day.stack.at.api + path)
        assert missing.status_code == httpx2.codes.NOT_FOUND


async def mails_are_out(day: Day) -> None:
    async with asyncio.timeout(30):
        # Another process's doing.
        while await _unsent(day.shop):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    sent = await day.http.get(f"{day.stack.at.mail}/messages")
    assert PERSONAL["email"] in sent.text


async def _unsent(shop: Shop) -> list[Any]:
    return await shop.fetch("SELECT 1 FROM messages WHERE status = 'open'")


async def people_are_planted(day: Day) -> None:
    """The scanner itself: wherever a person is put, they are found."""
    start, name = day.shop.client.start_workflow, PERSONAL["name"]
    await start("Nothing", name, id="planted-input", task_queue="nowhere")
    failing = await start("Nothing", id="planted-failure", task_queue="nowhere")
    await failing.terminate(name)
    # In a thread: this one takes the spans.
    await asyncio.to_thread(_trace, name, day.stack.at.otlp)
    with (day.stack.options.data / "logs/api.log").open("a") as log:
        log.write(f"hello {name}")


def _trace(name: str, otlp: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=otlp)))
    provider.get_tracer("test").start_span("planted", attributes={"of": name}).end()
    provider.shutdown()
