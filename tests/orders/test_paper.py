"""The warehouse's paper, as a scanner and a reader have it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from io import BytesIO
from typing import Any

import httpx2
import pypdfium2
import pytest
import zxingcpp
from api.orders.paper import labels, limits
from pypdf import PdfReader
from shared.contracts.orders.states import ShipmentStatus
from temporalio.client import Client

from tests.cli.conftest import Orders
from tests.cli.conftest import orders as _orders
from tests.conftest import OpenShop, Work
from tests.support.shop import (
    ADDRESS,
    PARCEL,
    PERSONAL,
    Refused,
    Shop,
    has_parcel,
)

orders = _orders
PDF = {"Accept": "application/pdf"}
DOTS_PER_INCH = 300
"""Of the printers that print A4, at least."""


async def printed(shop: Shop, path: str, **params: Any) -> bytes:
    answer = await shop.http.get(path, params=params, headers=PDF)
    if answer.is_error:
        raise Refused(answer)
    assert answer.headers["content-type"] == "application/pdf"
    return answer.content


def text_of(document: bytes) -> list[str]:
    """Page by page."""
    return [page.extract_text() for page in PdfReader(BytesIO(document)).pages]


def scanned(document: bytes) -> list[list[str]]:
    """What a scanner reads of each page."""
    with pypdfium2.PdfDocument(document) as pages:
        return [
            sorted(
                code.text
                for code in zxingcpp.read_barcodes(
                    page.render(scale=DOTS_PER_INCH / 72).to_pil().convert("L")
                )
            )
            for page in pages
        ]


async def confirmed(shop: Shop, count: int, **units: Any) -> list[str]:
    """The parcels of so many orders."""
    placed = [await shop.place(customer=f"customer-{n}", **units) for n in range(count)]
    found = []
    for order_id in placed:
        order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
        found += [parcel.id for parcel in order.shipments]
    return found


async def test_five_parcels_are_picked_packed_and_labelled_together(
    shop: Shop,
) -> None:
    await shop.stock(TEA=50, MUG=50)
    parcels = await confirmed(shop, 5, TEA=2, MUG=1)
    (pages,) = scanned(await printed(shop, "/v1/locations/berlin/pick-list"))
    assert pages == sorted(["TEA", "MUG", *parcels])

    slips = await printed(shop, "/v1/shipments/packing-slips", shipment=parcels)
    assert scanned(slips) == [[parcel] for parcel in parcels]
    for page in text_of(slips):
        assert PERSONAL["name"] in page
        assert "2 ×" in page
        assert "12.90" not in page

    packed = await pack_all(shop, parcels)
    assert [(one["shipment_id"], one["status"]) for one in packed] == [
        (parcel, 200) for parcel in parcels
    ]
    assert {one["shipment"]["status"] for one in packed} == {"packed"}
    together = await printed(shop, "/v1/shipments/labels", shipment=parcels[::-1])
    pages_of_labels = text_of(together)
    assert len(pages_of_labels) == 5
    for page, parcel in zip(pages_of_labels, parcels[::-1], strict=True):
        assert parcel in page


async def pack_all(shop: Shop, parcels: Sequence[str], **headers: str) -> Any:
    wanted = [{"shipment_id": parcel, "parcel": PARCEL} for parcel in parcels]
    answer = await shop.post("/v1/shipments/pack", {"shipments": wanted}, **headers)
    return answer["data"]


async def test_each_parcel_has_an_answer_of_its_own(shop: Shop) -> None:
    """And what is repeated under the same key is packed once."""
    await shop.stock(TEA=50)
    good, held, again = await confirmed(shop, 3, TEA=1)
    unknown = f"shp_{'0' * 26}"
    order_id = (await shop.get(f"/v1/shipments/{held}"))["order_id"]
    await shop.hold_up(order_id)
    await shop.pack_parcel(again, {1: 1})
    once = {"Idempotency-Key": "all-of-them"}
    answers = [
        await pack_all(shop, [good, held, unknown, again], **once) for _ in range(2)
    ]
    assert answers[0] == answers[1]
    problems = [one["problem"] and one["problem"]["type"] for one in answers[0]]
    assert [one["status"] for one in answers[0]] == [200, 409, 404, 409]
    assert [str(problem).rpartition("/")[2] for problem in problems] == [
        "None",
        "on-hold",
        "not-found",
        "wrong-state",
    ]
    assert answers[0][1]["problem"]["holds"] == ["manual"]
    with pytest.raises(Refused) as twice:
        await pack_all(shop, [good, good])
    assert twice.value.code == "validation"


async def test_a_parcel_that_nobody_answered_for_is_tried_again_under_the_same_key(
    open_shop: OpenShop, temporal: Client, work: Work
) -> None:
    async with open_shop(temporal) as shop, work():
        await shop.stock(TEA=5)
        (parcel,) = await confirmed(shop, 1, TEA=1)
    once = {"Idempotency-Key": "while-nobody-works"}
    wanted = {"shipments": [{"shipment_id": parcel, "parcel": PARCEL}]}
    soon = timedelta(seconds=0.5)
    async with open_shop(temporal, api_command_timeout=soon) as shop:
        told = await shop.http.post("/v1/shipments/pack", json=wanted, headers=once)
    (one,) = told.json()["data"]
    assert (told.status_code, one["status"]) == (200, 503)
    async with open_shop(temporal) as shop, work():
        (one,) = await pack_all(shop, [parcel], **once)
        assert one["status"] == 200


async def test_what_cannot_be_printed_says_why(shop: Shop) -> None:
    await shop.stock(TEA=50)
    packed, ready, gone = await confirmed(shop, 3, TEA=1)
    await pack_all(shop, [packed])
    await shop.post(f"/v1/shipments/{gone}/cancel", {})
    unknown = f"shp_{'0' * 26}"

    async def refused(what: str, *parcels: str) -> tuple[str, str]:
        with pytest.raises(Refused) as why:
            await printed(shop, f"/v1/shipments/{what}", shipment=parcels)
        return why.value.code, why.value.problem["detail"]

    code, detail = await refused("labels", packed, ready)
    assert (code, ready in detail, packed in detail) == ("no-label", True, False)
    code, detail = await refused("labels", packed, unknown)
    assert (code, unknown in detail) == ("not-found", True)
    assert (await refused("packing-slips", gone))[0] == "wrong-state"
    for parcels, why in (
        ([], "validation"),
        (["shp_1"], "validation"),
        ([unknown] * 51, "validation"),
    ):
        assert (await refused("packing-slips", *parcels))[0] == why


async def test_a_document_has_an_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.stock(TEA=50)
    parcels = await confirmed(shop, 2, TEA=1)
    await pack_all(shop, parcels)
    monkeypatch.setattr(labels, "MOST_BYTES", 100)
    monkeypatch.setattr(limits, "MOST_LINES", 1)
    for what in ("labels", "packing-slips"):
        with pytest.raises(Refused) as why:
            await printed(shop, f"/v1/shipments/{what}", shipment=parcels)
        assert why.value.code == "document-too-large"
    await confirmed(shop, 1, TEA=1)
    with pytest.raises(Refused) as why:
        await printed(shop, "/v1/locations/berlin/pick-list")
    assert why.value.code == "document-too-large"


async def test_names_are_printed_in_many_scripts(shop: Shop) -> None:
    await shop.stock(TEA=1)
    name = "Łucja Œuvré Ξένια Жанна"
    order_id = await shop.place(TEA=1, ship_to=ADDRESS | {"name": f"{name} 東"})
    order = await shop.until(order_id, has_parcel(ShipmentStatus.READY))
    slips = await printed(
        shop, "/v1/shipments/packing-slips", shipment=order.shipments[0].id
    )
    assert f"{name} ?" in text_of(slips)[0]


async def test_the_api_answers_while_it_prints(shop: Shop) -> None:
    """A long list is made beside everything else."""
    await shop.stock(TEA=50)
    parcels = await confirmed(shop, 3, TEA=1)
    printing = asyncio.gather(
        *(
            printed(shop, "/v1/shipments/packing-slips", shipment=parcels)
            for _ in range(3)
        )
    )
    answers: list[httpx2.Response] = []
    while not printing.done():
        answers.append(await shop.http.get("/v1/products/TEA"))
    assert all(answer.is_success for answer in answers)
    assert len(await printing) == 3


async def test_paper_from_the_command_line(
    shop: Shop, orders: Orders, tmp_path: Any
) -> None:
    await shop.stock(TEA=50)
    parcels = await confirmed(shop, 2, TEA=3)
    listed = await orders("shipments", "pick-list", "--at", "berlin")
    assert "6 units, 2 parcels" in listed.out
    for arguments, pages in (
        (("pick-list", "--at", "berlin"), 1),
        (("slips", *parcels), 2),
    ):
        file = tmp_path / f"{arguments[0]}.pdf"
        await orders("shipments", *arguments, "--file", str(file))
        assert len(text_of(file.read_bytes())) == pages
    box = ("--weight", "900", "--size", "300x200x100")
    said = await orders("shipments", "pack-many", *parcels, *box)
    assert said.out.count("is packed") == 2
    file = tmp_path / "labels.pdf"
    await orders("shipments", "labels", *parcels, "--file", str(file))
    assert len(text_of(file.read_bytes())) == 2
    nothing = await orders("shipments", "pick-list", "--at", "berlin")
    assert (nothing.status, "nothing-to-pick" in nothing.err) == (1, True)
