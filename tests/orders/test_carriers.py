"""Carriers: labels bought once, voided, tracked, and refused addresses told apart."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.payloads import Parcel
from shared.contracts.orders.states import OrderStatus, ShipmentStatus
from worker.orders.adapters.easypost import EasyPostCarrier, Sender
from worker.orders.ports import (
    Address,
    AddressRefused,
    Consignment,
    Content,
    Refused,
    Unavailable,
)
from worker.orders.shipment import labels

from tests.conftest import EASYPOST_SECRET, MakeWorkerSettings, Work
from tests.support.easypost import FAR_AWAY, NOWHERE, EasyPost, Problem
from tests.support.peers import Host, Peer
from tests.support.shop import PARCEL, Shop, has_parcel

BOX = Parcel(**PARCEL)
BERLIN = Address("Ada Example", "Example Street 1", "Berlin", "10115", "DE")
BERN = Address("Ada Example", "Gasse 1", "Bern", "3001", "CH", phone="+41 31 5551234")
TEA = Content("Tea", 2, 2580, "EUR", "090240", "IN")
GIFT = Content("Gift", 1, 500, "JPY", None, None)


def parcel(to: Address, **changed: Any) -> Consignment:
    return replace(Consignment("shp_1", to, BOX, "berlin"), **changed)


@pytest.fixture
def books() -> EasyPost:
    return EasyPost()


@pytest.fixture
async def peer(host: Host, books: EasyPost, tmp_path: Path) -> AsyncIterator[Peer]:
    async with host.peer(books.app, f"{tmp_path.name}-easypost") as peer:
        books.url = peer.url
        yield peer


@pytest.fixture
async def easypost(peer: Peer) -> AsyncIterator[EasyPostCarrier]:
    carrier = EasyPostCarrier(
        "key",
        Sender("adr_us", "DE"),
        f"{peer.url}/v2",
        senders={"rome": Sender("adr_rome", "IT")},
        signer="Grace Example",
    )
    yield carrier
    await carrier.close()


async def test_the_cheapest_label_is_bought(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    label = await easypost.buy_label(parcel(BERLIN))
    assert (label.carrier, label.eta) == ("Road", date(2026, 3, 5))
    (asked,) = books.shipments
    assert asked["from_address"] == {"id": "adr_us"}
    assert asked["to_address"]["zip"] == "10115"
    # 900 g and 300 mm, in ounces and inches.
    assert (asked["parcel"]["weight"], asked["parcel"]["length"]) == (31.8, 11.9)


async def test_the_service_that_was_promised_is_bought(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    label = await easypost.buy_label(parcel(BERLIN, carrier="Air", service="Express"))
    assert label.carrier == "Air"
    assert books.bought[0]["selected_rate"]["service"] == "Express"
    with pytest.raises(Refused, match="service-not-offered"):
        await easypost.buy_label(parcel(BERLIN, reference="shp_2", carrier="Sea"))


async def test_a_parcel_is_sent_from_where_it_lies(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    await easypost.buy_label(parcel(BERLIN, location="rome", contents=(TEA,)))
    await easypost.buy_return_label(parcel(BERLIN, reference="ret_1"))
    assert [s["from_address"]["id"] for s in books.bought] == ["adr_rome", "adr_us"]


async def test_customs_are_told_what_crosses_a_border(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    await easypost.buy_label(parcel(BERN, contents=(TEA, GIFT)))
    (asked,) = books.bought
    assert asked["to_address"]["phone"] == BERN.phone
    customs = asked["customs_info"]
    assert (customs["customs_signer"], customs["customs_certify"]) == (
        "Grace Example",
        True,
    )
    tea, gift = customs["customs_items"]
    assert (tea["quantity"], tea["value"], tea["currency"]) == (2, 25.8, "EUR")
    assert (tea["hs_tariff_number"], tea["origin_country"]) == ("090240", "IN")
    # Two thirds of 900 g, in ounces; yen have no smaller part.
    assert (tea["weight"], gift["value"], gift["weight"]) == (21.2, 500, 10.6)


async def test_nothing_crosses_a_border_undeclared(easypost: EasyPostCarrier) -> None:
    with pytest.raises(Refused, match="CUSTOMS_INFO"):
        await easypost.buy_label(parcel(BERN))
    with pytest.raises(Refused, match="PHONE"):
        await easypost.buy_label(
            parcel(replace(BERN, phone=None), contents=(TEA,), reference="shp_2")
        )


@pytest.mark.parametrize(
    ("grams", "ounces"), [(1, 0.1), (5, 0.2), (28, 1.0), (29, 1.1), (70_000, 2469.2)]
)
async def test_nothing_weighs_nothing(
    easypost: EasyPostCarrier, books: EasyPost, grams: int, ounces: float
) -> None:
    letter = BOX.model_copy(update={"weight_g": grams, "height_mm": 1})
    await easypost.buy_label(parcel(BERLIN, parcel=letter))
    (asked,) = books.bought
    assert (asked["parcel"]["weight"], asked["parcel"]["height"]) == (ounces, 0.1)


async def test_a_label_is_bought_once_for_a_parcel(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    first = await easypost.buy_label(parcel(BERLIN))
    again = await easypost.buy_label(parcel(BERLIN))
    assert again == first
    assert len(books.bought) == 1


async def test_a_purchase_whose_answer_was_lost_is_found(
    easypost: EasyPostCarrier, books: EasyPost, peer: Peer
) -> None:
    with peer.gate("POST .*/buy", after_effect=True) as gate:
        buying = asyncio.create_task(easypost.buy_label(parcel(BERLIN)))
        await gate.reached.wait()
        again = await easypost.buy_label(parcel(BERLIN))
    assert await buying == again
    assert len(books.bought) == 1


async def test_a_slow_purchase_is_not_made_twice(
    closed_shop: Shop,
    work: Work,
    books: EasyPost,
    peer: Peer,
) -> None:
    """EasyPost knows no idempotency keys: who asks again too soon finds nothing yet."""
    shop = closed_shop
    async with work(**by_easypost(peer)):
        order_id = await shop.confirmed(TEA=1)
        with peer.gate("POST /v2/shipments$") as gate:
            packed = asyncio.create_task(shop.pack(order_id))
            await gate.reached.wait()
            await asyncio.sleep(1)
        await packed
    assert len(books.bought) == 1


def by_easypost(peer: Peer) -> dict[str, Any]:
    return {
        "carrier": "easypost",
        "carrier_api_base": f"{peer.url}/v2",
        "easypost_api_key": SecretStr("key"),
        "easypost_from_address": "adr_us",
    }


async def test_a_dead_carrier_takes_no_thread_of_anybody_else(
    easypost: EasyPostCarrier, peer: Peer
) -> None:
    """Names are looked up in threads, without which no provider is reached."""
    with peer.gate("GET /v2/trackers") as gate:
        waiting = [asyncio.create_task(easypost.track(f"EZ{n}")) for n in range(40)]
        await gate.reached.wait()
        async with asyncio.timeout(5):
            await asyncio.to_thread(lambda: None)
    await asyncio.gather(*waiting)


async def test_a_refused_address_is_told_from_an_outage(
    easypost: EasyPostCarrier,
) -> None:
    with pytest.raises(AddressRefused, match="carrier-refused"):
        await easypost.buy_label(parcel(replace(BERLIN, city=NOWHERE)))
    with pytest.raises(AddressRefused, match="no-carrier-delivers"):
        await easypost.buy_label(parcel(replace(BERLIN, city=FAR_AWAY)))


async def test_a_corrected_address_is_asked_for_anew(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    with pytest.raises(AddressRefused):
        await easypost.buy_label(parcel(replace(BERLIN, city=FAR_AWAY)))
    await easypost.buy_label(parcel(BERLIN))
    assert [s["to_address"]["city"] for s in books.bought] == ["Berlin"]


async def test_an_outage_is_tried_again_and_quotes_nobody(host: Host) -> None:
    carrier = EasyPostCarrier("key", Sender("adr_us"), f"{host.url}/nobody/v2")
    with pytest.raises(Unavailable) as down:
        await carrier.buy_label(parcel(BERLIN))
    assert "Ada" not in str(down.value)
    await carrier.close()


async def test_a_label_is_given_back_once(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    label = await easypost.buy_label(parcel(BERLIN))
    await easypost.void_label(label.ref)
    await easypost.void_label(label.ref)
    assert books.shipments[0]["refund_status"] == "submitted"


async def test_the_last_scan_says_where_a_parcel_is(
    easypost: EasyPostCarrier, books: EasyPost
) -> None:
    label = await easypost.buy_label(parcel(BERLIN))
    assert label.tracking is not None
    books.scan(label.tracking, "in_transit", "2026-03-03T10:00:00Z")
    now = await easypost.track(label.tracking)
    assert now is not None
    assert (now.status, now.at) == ("in_transit", datetime(2026, 3, 3, 10, tzinfo=UTC))
    assert await easypost.track("nobody-knows") is None


async def test_a_parcel_goes_by_easypost_from_label_to_delivery(
    closed_shop: Shop, work: Work, books: EasyPost, peer: Peer
) -> None:
    shop = closed_shop
    async with work(**by_easypost(peer)):
        order_id = await shop.confirmed(TEA=1)
        shipment_id = await shop.shipped(order_id)
        label = await shop.http.get(f"/v1/shipments/{shipment_id}/label")
        assert label.content.startswith(b"%PDF-")
        (bought,) = books.bought
        books.scan(bought["tracking_code"], "delivered", "2026-03-04T10:00:00Z")
        await tell(shop, bought["tracking_code"], "in_transit")
        order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED


async def test_a_parcel_that_no_carrier_can_be_asked_about_is_tracked_by_its_webhook(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    async with work(carrier="manual"):
        order_id = await shop.confirmed(TEA=1)
        shipment_id = await shop.pack(order_id)
        left = {"carrier": "By bike", "tracking": "BIKE-1"}
        await shop.post(f"/v1/shipments/{shipment_id}/ship", left)
        await tell(shop, "BIKE-1", "delivered")
        await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))


async def test_a_time_that_is_yet_to_come_hides_no_later_scan(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    async with work(carrier="manual"):
        order_id = await shop.confirmed(TEA=1)
        shipment_id = await shop.pack(order_id)
        await shop.post(f"/v1/shipments/{shipment_id}/ship", {"tracking": "BIKE-1"})
        ahead = datetime.now(UTC) + timedelta(days=3)
        await tell(shop, "BIKE-1", "in_transit", ahead)
        await shop.until(order_id, lambda o: o.shipments[0].tracking_status)
        await tell(shop, "BIKE-1", "failure", datetime.now(UTC))
        hold = await shop.held(order_id, HoldReason.DELIVERY)
        assert hold.detail["cause"] == "attempt-failed"


def test_easypost_needs_a_key_and_an_address(
    worker_settings: MakeWorkerSettings,
) -> None:
    with pytest.raises(ValidationError, match="EASYPOST_FROM_ADDRESS"):
        worker_settings(carrier="easypost", easypost_api_key=SecretStr("key"))


MARCH = datetime(2026, 3, 3, 10, tzinfo=UTC)


async def tell(shop: Shop, number: str, status: str, at: datetime = MARCH) -> None:
    """EasyPost's webhook, signed as they do."""
    event = {
        "id": f"evt_{number}_{status}",
        "object": "Event",
        "created_at": datetime.now(UTC).isoformat(),
        "description": "tracker.updated",
        "result": {
            "tracking_code": number,
            "status": status,
            "updated_at": at.isoformat(),
        },
    }
    body = json.dumps(event).encode()
    digest = hmac.new(EASYPOST_SECRET.encode(), body, hashlib.sha256).hexdigest()
    answer = await shop.http.post(
        "/v1/webhooks/easypost",
        content=body,
        headers={
            "Content-Type": "application/json",
            "X-Hmac-Signature": f"hmac-sha256-hex={digest}",
        },
    )
    assert answer.is_success, answer.text


@pytest.mark.parametrize(
    "no",
    [
        (422, "SHIPMENT.POSTAGE.FAILURE"),
        (402, "INSUFFICIENT_FUNDS"),
        (403, "FORBIDDEN"),
        (418, "A.WORD.OF.NEXT.YEAR"),
    ],
    ids=str,
)
async def test_a_label_that_is_refused_waits_for_a_person(
    closed_shop: Shop,
    work: Work,
    books: EasyPost,
    peer: Peer,
    no: Problem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The money is taken by then: whoever decides has it tried again, or given back."""
    # Each pause between two tries is twice as long as the one before.
    monkeypatch.setattr(labels, "TRIES_OF_THE_UNKNOWN", 2)
    shop = closed_shop
    async with work(**by_easypost(peer)):
        first, second = [await shop.confirmed(TEA=1) for _ in range(2)]
        books.refuses = no
        for order_id in (first, second):
            await shop.pack(order_id)
            hold = await shop.held(order_id, HoldReason.PROVIDER)
            assert no[1] in hold.detail["cause"]
        books.refuses = None
        await shop.decide(first, HoldReason.PROVIDER, "retry")
        await shop.until(first, has_parcel(ShipmentStatus.PACKED))
        await shop.decide(second, HoldReason.PROVIDER, "cancel")
        order = await shop.ended(second)
        assert (order.status, order.refunded) == (OrderStatus.CANCELLED, order.total)


async def test_a_label_that_is_not_taken_back_is_told_to_finance(
    closed_shop: Shop, work: Work, books: EasyPost, peer: Peer
) -> None:
    shop = closed_shop
    async with work(**by_easypost(peer)):
        order_id = await shop.confirmed(TEA=1)
        await shop.pack(order_id)
        books.shipments.clear()
        await shop.cancel(order_id)
        await shop.ended(order_id)
        (found,) = await shop.fetch("SELECT kind FROM discrepancies")
        assert found.kind == "label-not-voided"
