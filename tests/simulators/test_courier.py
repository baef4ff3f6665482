"""The courier who collects what the shop has shipped, and delivers it."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from tests.simulators.conftest import WEBHOOK_SECRET
from tests.simulators.parcels import Parcels
from tests.simulators.process import SimulatorProcess, running
from tests.simulators.receiver import Receiver
from tests.simulators.serving import free_port, serving
from tests.simulators.shop import plain_http

STORY = ["in_transit", "out_for_delivery", "delivered"]


@dataclass
class Orders:
    """The shop's API, one shipment a page. failures: answers of 500 to give first."""

    shipped: list[str] = field(default_factory=list)
    failures: int = 0
    asked: list[Request] = field(default_factory=list)

    async def shipments(self, request: Request, cursor: int = 0) -> Response:
        self.asked.append(request)
        if self.failures:
            self.failures -= 1
            return Response(status_code=500)
        following = cursor + 1
        shown = self.shipped[cursor:following]
        return JSONResponse(
            {
                "data": [{"tracking": tracking} for tracking in shown],
                "next_cursor": following if following < len(self.shipped) else None,
            }
        )

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_api_route("/v1/shipments", self.shipments)
        return app


@dataclass(frozen=True)
class Street:
    orders: Orders
    parcels: Parcels
    carrier: SimulatorProcess
    receiver: Receiver

    async def story_of(self, tracking: str, length: int = 3) -> list[str]:
        """The statuses that the shop was told of, once there are that many."""
        told = await self.receiver.wait_for(lambda r: r.is_about(tracking), length)
        return [got.event["data"]["status"] for got in told]


@pytest.fixture
async def street(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Street]:
    async with (
        serving((orders := Orders()).app()) as url,
        _street(tmp_path, receiver, orders, url) as street,
    ):
        yield street


@asynccontextmanager
async def _street(
    data: Path, receiver: Receiver, orders: Orders, url: str, *options: str
) -> AsyncIterator[Street]:
    async with (
        running(
            *("carrier", data / "carrier.sqlite"),
            *("--webhook-url", receiver.url, "--webhook-secret", WEBHOOK_SECRET),
            *("--auto", "--orders-api", url, "--step-seconds", "0.1", *options),
        ) as carrier,
        plain_http(carrier.url) as http,
    ):
        yield Street(orders, Parcels(http), carrier, receiver)


async def test_what_is_shipped_is_delivered(street: Street) -> None:
    assert street.orders.asked == []
    waiting = (await street.parcels.label())["tracking"]
    shipped = [(await street.parcels.label())["tracking"] for _ in range(3)]
    street.orders.shipped = shipped
    for tracking in shipped:
        assert await street.story_of(tracking) == STORY
    assert (await street.parcels.tracker(waiting))["status"] == "pre_transit"
    asked = street.orders.asked[0]
    assert asked.query_params["status"] == "shipped"
    assert asked.headers["X-Dev-User"] == "carrier-simulator"


async def test_the_courier_may_show_a_token(tmp_path: Path, receiver: Receiver) -> None:
    async with (
        serving((orders := Orders()).app()) as url,
        _street(tmp_path, receiver, orders, url, "--token", "t0ken") as street,
    ):
        orders.shipped = [(await street.parcels.label())["tracking"]]
        await street.story_of(orders.shipped[0])
        assert orders.asked[0].headers["Authorization"] == "Bearer t0ken"
        assert "X-Dev-User" not in orders.asked[0].headers


async def test_a_shop_that_does_not_answer_is_no_error(
    tmp_path: Path, receiver: Receiver
) -> None:
    port, orders = free_port(), Orders(failures=2)
    url = f"http://127.0.0.1:{port}"
    async with _street(tmp_path, receiver, orders, url) as street:
        orders.shipped = [(await street.parcels.label())["tracking"]]
        async with serving(orders.app(), port):
            assert await street.story_of(orders.shipped[0]) == STORY


async def test_a_killed_courier_delivers_what_he_had_collected(street: Street) -> None:
    street.orders.shipped = [(await street.parcels.label())["tracking"]]
    await street.story_of(street.orders.shipped[0], length=1)
    await street.carrier.end(signal.SIGKILL)
    await street.carrier.start()
    await street.receiver.wait_for(
        lambda r: r.is_about(street.orders.shipped[0]) and r.is_about("delivered")
    )
    tracker = await street.parcels.tracker(street.orders.shipped[0])
    assert [event["status"] for event in tracker["events"]] == ["pre_transit", *STORY]


async def test_a_scan_by_hand_takes_the_parcel_from_him(
    tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        serving((orders := Orders()).app()) as url,
        _street(tmp_path, receiver, orders, url, "--step-seconds", "0.4") as street,
    ):
        lost, delivered = [(await street.parcels.label())["tracking"] for _ in range(2)]
        orders.shipped = [lost]
        await street.story_of(lost, length=1)
        await street.parcels.scan(lost, "lost")
        orders.shipped = [lost, delivered]
        assert await street.story_of(delivered) == STORY
        assert (await street.parcels.tracker(lost))["status"] == "lost"
