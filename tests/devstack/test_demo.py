"""The demo against an API that plays along, or does not."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from devstack.demo import DemoFailed, Stage, short
from devstack.ports import Ports
from devstack.services import Addresses

MONEY = {"amount": 4060, "currency": "EUR"}
SHIPMENT = {"id": "shp_1", "lines": [{"line": 1, "quantity": 2}]}


class Api:
    """Answers as the API does for one order with the given events and end."""

    def __init__(self, *events: str, status: str = "completed") -> None:
        self.events = events
        self.order = {
            "id": "ord_1",
            "number": 1,
            "status": status,
            "reason": None if status == "completed" else "payment",
            "payment_status": "captured",
            "fulfillment_status": "delivered",
            "totals": {"total": MONEY, "captured": MONEY, "refunded": MONEY},
        }
        self.warehouse: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path.endswith("/events"):
            return httpx2.Response(200, text="".join(self._stream()))
        if path == "/v1/shipments":
            return httpx2.Response(200, json={"data": [SHIPMENT]})
        if path.startswith("/v1/shipments/"):
            self.warehouse.append(path)
            return httpx2.Response(200, json=SHIPMENT)
        return httpx2.Response(200, json=self.order)

    def _stream(self) -> Iterator[str]:
        for number, name in enumerate(self.events, 1):
            at = f"2030-01-01T00:00:0{number}Z"
            event = {"seq": number, "type": name, "at": at, "actor": "x", "data": {}}
            yield f"event: {name}\nid: {number}\ndata: {json.dumps(event)}\n\n"


async def play(handler: Any) -> list[str]:
    said: list[str] = []
    transport = httpx2.MockTransport(handler)
    async with httpx2.AsyncClient(transport=transport, base_url="http://api") as http:
        at = Addresses(Ports())
        await short(Stage(at=at, http=http, say=said.append, logs="logs"))
    return said


async def test_the_warehouse_packs_what_is_ready_and_ships_what_is_packed() -> None:
    api = Api("order.placed", "shipment.ready", "shipment.packed", "order.completed")
    await play(api)
    assert api.warehouse == ["/v1/shipments/shp_1/pack", "/v1/shipments/shp_1/ship"]


async def test_the_link_leads_to_the_workflow_of_the_order() -> None:
    said = await play(Api("order.completed"))
    assert said[-1].endswith(":8233/namespaces/default/workflows/order%2Ford_1")


async def test_an_order_that_is_cancelled_fails_the_demo_with_its_reason() -> None:
    with pytest.raises(DemoFailed, match="ended cancelled: payment"):
        await play(Api("order.cancelled", status="cancelled"))


async def test_a_refusal_is_shown_with_the_request_and_the_problem() -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(409, json={"title": "Price changed"})

    with pytest.raises(DemoFailed, match=r"POST http://api/v1/orders .*Price changed"):
        await play(refuse)
