"""Labels and trackers of the carrier."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import pytest

from tests.simulators.conftest import WEBHOOK_SECRET
from tests.simulators.parcels import Parcels, an_address
from tests.simulators.receiver import Receiver
from tests.simulators.shop import new_key


async def test_a_label_has_a_tracking_number_and_an_eta(parcels: Parcels) -> None:
    response = await parcels.request_label()
    label = response.json()
    assert (response.status_code, label["carrier"]) == (201, "simulator")
    assert label["tracking"]
    assert date.fromisoformat(label["eta"]) > datetime.now(UTC).date()


async def test_a_reference_has_one_label(parcels: Parcels) -> None:
    reference = new_key()
    first = await parcels.request_label(reference=reference)
    second = await parcels.request_label(reference=reference)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


async def test_a_key_belongs_to_its_request(parcels: Parcels) -> None:
    key, reference = new_key(), new_key()
    first = await parcels.label(key=key, reference=reference)
    assert await parcels.label(key=key, reference=reference) == first
    misused = await parcels.request_label(key=key, reference=new_key())
    assert (misused.status_code, misused.json()["code"]) == (
        *(409, "idempotency_key_reused"),
    )


async def test_a_refused_address_can_be_corrected_under_the_same_key(
    parcels: Parcels,
) -> None:
    key, reference = new_key(), new_key()
    refused = await parcels.request_label(
        key=key, reference=reference, to=an_address(postal_code="99999")
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "address_refused")
    assert await parcels.label(key=key, reference=reference)


async def test_a_request_that_makes_no_sense_is_refused(parcels: Parcels) -> None:
    refused = await parcels.request_label(weight_g=-1)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


GOODS = {"name": "Tea", "units": 1, "value": 1290, "currency": "EUR"}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"service": "withdrawn"}, "service_unknown"),
        ({"to": an_address() | {"country": "CH"}}, "phone_missing"),
        (
            {"to": an_address() | {"country": "CH", "phone": "+41"}},
            "customs_incomplete",
        ),
        (
            {
                "to": an_address() | {"country": "CH", "phone": "+41"},
                "customs": [GOODS],
            },
            "customs_incomplete",
        ),
    ],
    ids=["service", "phone", "nothing declared", "no tariff number"],
)
async def test_what_cannot_be_carried_is_refused(
    parcels: Parcels, wanted: dict[str, Any], code: str
) -> None:
    refused = await parcels.request_label(**wanted)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_a_label_knows_who_sends_it_and_how(parcels: Parcels) -> None:
    label = await parcels.label(
        to=an_address() | {"country": "CH", "phone": "+41"},
        customs=[GOODS | {"hs_code": "090240"}],
        sender="berlin",
        service="express",
    )
    assert (label["sender"], label["service"]) == ("berlin", "express")


async def test_the_label_can_be_printed(parcels: Parcels) -> None:
    label = await parcels.label(reference=f"shp_({new_key()})")
    response = await parcels.http.get(f"/v1/labels/{label['id']}.pdf")
    assert response.headers["Content-Type"] == "application/pdf"
    assert label["tracking"].encode() in response.content
    assert _objects_are_where_the_table_says(response.content)


async def test_a_label_can_be_voided_more_than_once(parcels: Parcels) -> None:
    label = await parcels.label()
    for _ in range(2):
        response = await parcels.void(label)
        assert (response.status_code, response.json()["voided"]) == (200, True)


async def test_a_scanned_label_cannot_be_voided(parcels: Parcels) -> None:
    label = await parcels.label()
    await parcels.scan(label["tracking"], "in_transit")
    refused = await parcels.void(label)
    assert (refused.status_code, refused.json()["code"]) == (409, "already_scanned")


async def test_a_voided_label_may_still_be_scanned(parcels: Parcels) -> None:
    label = await parcels.label()
    await parcels.void(label)
    scanned = await parcels.scan(label["tracking"], "in_transit")
    assert scanned.json()["status"] == "in_transit"


async def test_a_tracker_tells_the_parcels_story(parcels: Parcels) -> None:
    tracking = (await parcels.label())["tracking"]
    assert (await parcels.tracker(tracking))["status"] == "pre_transit"
    story = ["in_transit", "failure", "out_for_delivery", "delivered"]
    for status in story:
        await parcels.scan(tracking, status)
    tracker = await parcels.tracker(tracking)
    assert [event["status"] for event in tracker["events"]] == ["pre_transit", *story]
    assert tracker["status"] == "delivered"


async def test_a_scan_reported_late_moves_nothing_back(
    parcels: Parcels, receiver: Receiver
) -> None:
    tracking = (await parcels.label())["tracking"]
    await parcels.scan(tracking, "delivered")
    old = "2020-01-01T10:00:00+01:00"
    await parcels.scan(tracking, "in_transit", occurred_at=old)
    assert (await parcels.tracker(tracking))["status"] == "delivered"
    told = await receiver.wait_for(lambda r: r.is_about(tracking), count=2)
    assert told[1].event["data"] == {
        "tracking": tracking,
        "status": "in_transit",
        "occurred_at": "2020-01-01T09:00:00.000000Z",
    }


@pytest.mark.parametrize("status", ["lost", "return_to_sender", "cancelled"])
async def test_a_parcel_may_end_otherwise(parcels: Parcels, status: str) -> None:
    tracking = (await parcels.label())["tracking"]
    assert (await parcels.scan(tracking, status)).json()["status"] == status


async def test_an_unknown_status_is_refused(parcels: Parcels) -> None:
    tracking = (await parcels.label())["tracking"]
    assert (await parcels.scan(tracking, "eaten")).status_code == 422


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/trackers/nowhere"),
        ("GET", "/v1/labels/nothing.pdf"),
        ("POST", "/v1/labels/nothing/void"),
    ],
)
async def test_what_does_not_exist_is_not_found(
    parcels: Parcels, method: str, path: str
) -> None:
    response = await parcels.http.request(method, path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_a_webhook_is_signed_the_standard_way(
    parcels: Parcels, receiver: Receiver
) -> None:
    tracking = (await parcels.label())["tracking"]
    await parcels.scan(tracking, "in_transit")
    (got,) = await receiver.wait_for(lambda r: r.is_about(tracking))
    sent, event_id = got.headers["webhook-timestamp"], got.headers["webhook-id"]
    key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    signed = f"{event_id}.{sent}.".encode() + got.body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    expected = f"v1,{base64.b64encode(digest).decode()}"
    assert got.headers["webhook-signature"] == expected
    assert got.event["type"] == "tracker.updated"


async def test_a_repeated_webhook_keeps_its_id(
    parcels: Parcels, receiver: Receiver
) -> None:
    await parcels.switch_on("webhook_thrice", count=1)
    tracking = (await parcels.label())["tracking"]
    await parcels.scan(tracking, "in_transit")
    got = await receiver.wait_for(lambda r: r.is_about(tracking), count=3)
    assert len({r.headers["webhook-id"] for r in got}) == 1


async def test_scans_may_be_told_in_reversed_order(
    parcels: Parcels, receiver: Receiver
) -> None:
    tracking = (await parcels.label())["tracking"]
    await parcels.switch_on("webhook_reversed", delay_ms=1000)
    for status in ("in_transit", "delivered"):
        await parcels.scan(tracking, status)
    got = await receiver.wait_for(lambda r: r.is_about(tracking), count=2)
    assert [r.event["data"]["status"] for r in got] == ["delivered", "in_transit"]


async def test_a_dropped_answer_hides_a_label_that_the_reference_brings_back(
    parcels: Parcels,
) -> None:
    reference = new_key()
    await parcels.switch_on("drop_answer", "POST /v1/labels$", count=1)
    with pytest.raises(httpx2.TransportError):
        await parcels.request_label(reference=reference)
    label = await parcels.label(reference=reference)
    books = (await parcels.http.get("/_sim/books")).json()
    assert [entry for entry in books if entry["reference"] == reference] == [label]


@pytest.mark.parametrize(("kind", "status"), [("error", 500), ("rate_limit", 429)])
async def test_a_carrier_out_of_order_buys_no_label(
    parcels: Parcels, kind: str, status: int
) -> None:
    reference = new_key()
    await parcels.switch_on(kind, "POST /v1/labels$", count=1)
    refused = await parcels.request_label(reference=reference)
    assert refused.status_code == status
    assert (await parcels.request_label(reference=reference)).status_code == 201


async def test_a_carrier_that_is_down_buys_no_label(parcels: Parcels) -> None:
    reference = new_key()
    await parcels.switch_on("down", "POST /v1/labels$", count=1)
    with pytest.raises(httpx2.TransportError):
        await parcels.request_label(reference=reference)
    assert (await parcels.request_label(reference=reference)).status_code == 201


def _objects_are_where_the_table_says(pdf: bytes) -> bool:
    start = int(re.findall(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[0])
    offsets = [int(o) for o in re.findall(rb"(\d{10}) 00000 n \n", pdf[start:])]
    return pdf[start:].startswith(b"xref") and all(
        pdf[offset:].startswith(b"%d 0 obj" % number)
        for number, offset in enumerate(offsets, start=1)
    )
