"""Orders by the command line: found, seen and worked on."""

import json
from pathlib import Path

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus

from tests.cli.conftest import Orders
from tests.support.returns import arrived
from tests.support.shop import ADDRESS, Shop, has_no_hold

UNITS = 2
ORDER = {
    "customer_id": "ada",
    "external_ref": "web-1",
    "currency": "EUR",
    "lines": [{"sku": "TEA", "quantity": UNITS}],
    "shipping": {"method": "standard", "amount": {"amount": 490, "currency": "EUR"}},
    "expected_total": {"amount": 3070, "currency": "EUR"},
    "contact": {"name": "Ada Example", "email": "ada@example.com"},
    "ship_to": ADDRESS,
    "payment": {"method": "pm_card_visa"},
}


async def test_an_order_is_placed_from_a_file_and_found_by_its_number(
    shop: Shop, orders: Orders, tmp_path: Path
) -> None:
    await shop.stock(TEA=UNITS)
    file = tmp_path / "order.json"
    # As editors and shells of Windows write it.
    file.write_text(json.dumps(ORDER), encoding="utf-16")
    placed = await orders("place", str(file))
    assert "is confirmed" in placed.out
    shown = await orders("show", "web-1", "-o", "json")
    assert shown.json["status"] == "confirmed"
    listed = await orders("list", "--customer", "ada")
    assert shown.json["id"] in listed.out


async def test_a_number_that_is_also_a_reference_means_neither(
    shop: Shop, orders: Orders
) -> None:
    mine = await shop.place(TEA=1)
    number = (await shop.get(f"/v1/orders/{mine}"))["number"]
    await shop.fetch(
        "UPDATE orders SET external_ref = :number WHERE id = :id",
        number=str(number),
        id=(other := await shop.place(TEA=1)),
    )
    said = await orders("cancel", str(number), "--reason", "asked")
    assert said.status == 1
    assert mine in said.err
    assert other in said.err


async def test_an_order_that_is_named_by_nothing_is_none(orders: Orders) -> None:
    """A shell variable was not set: nobody means every order."""
    for command in ("holds list", "shipments list --order", "returns list", "show"):
        said = await orders(*command.split(), "")
        assert (said.status, said.out) == (1, "")
        assert "empty name" in said.err


async def test_a_key_is_checked_before_anything_is_sent(orders: Orders) -> None:
    said = await orders("cancel", "ord_1", "--reason", "asked", "--key", "ä b")
    assert said.status == 2
    assert "--key" in said.err


async def test_the_same_key_does_it_once(shop: Shop, orders: Orders) -> None:
    order_id = await shop.confirmed(TEA=2)
    cancel = ("cancel", order_id, "--reason", "asked", "--line", "1=1", "--key", "k")
    first, second = await orders(*cancel), await orders(*cancel)
    assert first.out == second.out
    assert (await shop.order(order_id)).lines[0].cancelled == 1


async def test_what_is_not_answered_may_be_repeated_under_its_key(
    orders: Orders,
) -> None:
    said = await orders(
        *("cancel", "ord_1", "--reason", "asked", "--key", "mine"),
        ORDERS_API_URL="http://127.0.0.1:1",
        ORDERS_PATIENCE="0",
    )
    assert said.status == 1
    assert "--key mine" in said.err


async def test_a_refusal_says_what_to_do_next(shop: Shop, orders: Orders) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.shipped(order_id)
    said = await orders("cancel", order_id, "--reason", "asked")
    assert said.status == 1
    assert "(already-shipped)" in said.err
    assert "orders return" in said.err


async def test_a_missing_scope_is_told_by_its_name(shop: Shop, orders: Orders) -> None:
    order_id = await shop.place(TEA=1)
    said = await orders("process", order_id, scopes="orders:read")
    assert "This needs orders:operate." in said.err
    assert "scopes: orders:operate" in said.err.splitlines()[2]


async def test_events_are_followed_until_one_has_happened(
    shop: Shop, orders: Orders
) -> None:
    order_id = await shop.confirmed(TEA=1)
    said = await orders("events", order_id, "--until", "order.confirmed", "-o", "json")
    types = [json.loads(line)["type"] for line in said.out.splitlines()]
    assert types[0] == "order.placed"
    assert types[-1] == "order.confirmed"


async def test_the_warehouse_packs_and_ships_what_is_ready(
    shop: Shop, orders: Orders, tmp_path: Path
) -> None:
    order_id = await shop.confirmed(TEA=2)
    (parcel,) = (await orders("shipments", "list", "-o", "json")).json["data"]
    packed = await orders(
        *("shipments", "pack", parcel["id"], "--weight", "900"),
        *("--size", "300x200x150"),
    )
    assert "is packed" in packed.out
    label = tmp_path / "label.pdf"
    saved = await orders("shipments", "label", parcel["id"], "-f", str(label))
    assert saved.out.endswith(" bytes\n")
    assert label.read_bytes().startswith(b"%PDF-")
    await orders("shipments", "ship", parcel["id"])
    assert (await shop.order(order_id)).lines[0].shipped == 2
    said = await orders("shipments", "deliver", parcel["id"])
    assert "is delivered" in said.out
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED


async def test_a_parcel_is_moved_to_another_warehouse(
    shop: Shop, orders: Orders
) -> None:
    order_id = await shop.confirmed(TEA=2)
    number = str((await shop.order(order_id)).number)
    unknown = await orders("shipments", "move", number, "--to", "hamburg")
    assert (unknown.status, "Use one of: berlin." in unknown.err) == (1, True)
    put = await orders("locations", "put", "hamburg", "--priority", "7")
    assert "hamburg is active, priority 7" in put.out
    refused = await orders("shipments", "move", number, "--to", "hamburg")
    assert (refused.status, "2 × TEA missing" in refused.err) == (1, True)
    await shop.stock(at="hamburg", TEA=2)
    why = ("--note", "Berlin's ceiling leaks.")
    said = await orders("shipments", "move", number, "--to", "hamburg", *why)
    assert said.out.endswith("is at hamburg.\n")


async def test_boxes_are_packed_relabelled_and_left_for_later(
    shop: Shop, orders: Orders, tmp_path: Path
) -> None:
    order_id = await shop.confirmed(TEA=3)
    number = str((await shop.order(order_id)).number)
    boxes = ("--weight", "900", "--size", "300x200x150") * 2
    packed = await orders("shipments", "pack", number, *boxes, "--later", "1=2")
    assert packed.out.count("SIM") == 2
    again = await orders(
        "shipments", "relabel", number, "--weight", "5", "--size", "9x9x9"
    )
    assert (again.status, again.out.count("SIM")) == (0, 1)
    assert again.out != packed.out
    by_hand = ("--carrier", "by bike", "--tracking", "BIKE-1")
    said = await orders("shipments", "relabel", number, *by_hand)
    assert said.out.endswith("is packed: BIKE-1.\n")
    short = await orders("shipments", "pack", number, *boxes[:4], "--line", "1=1")
    assert (short.status, "is picked" in short.out) == (0, True)
    assert "On hold: stock." in short.out
    label = await orders("shipments", "label", packed.out.split()[0], "--package", "9")
    assert label.status == 1


async def test_the_warehouse_sees_what_a_return_is_for(
    shop: Shop, orders: Orders
) -> None:
    order_id = await arrived(shop, TEA=2)
    asked = await orders(
        *("return", order_id, "--line", "1=2", "--reason", "too-hot", "-o", "json")
    )
    shown = await orders("returns", "show", asked.json["id"])
    line = next(line for line in shown.out.splitlines() if "TEA" in line)
    assert line.split() == ["1", "TEA", "2", "too-hot", "–", "–", "–"]


async def test_a_number_is_enough_for_a_return(shop: Shop, orders: Orders) -> None:
    order_id = await arrived(shop, TEA=1)
    number = str((await shop.order(order_id)).number)
    await orders("return", number, "--line", "1=1", "--reason", "too-hot")
    await shop.until(order_id, lambda o: o.returns[0].tracking)
    shown = await orders("returns", "show", number)
    assert str((await shop.order(order_id)).returns[0].tracking) in shown.out
    assert "None" not in shown.out
    listed = await orders(
        *("returns", "list", number, "--status", "approved,received", "--since", "2h")
    )
    assert "ret_" in listed.out
    for line, kept, status in (
        ("1=1:shelf", "1=2,50", 2),
        ("1=1:restock", "2=2,50", 2),
        ("1=1:restock", "1=2,50", 0),
    ):
        command = ("returns", "receive", number, "--line", line, "--deduct", kept)
        assert (await orders(*command)).status == status
    (returned,) = (await shop.order(order_id)).returns
    assert "2.50 EUR" in (await orders("returns", "show", returned.id)).out


async def test_lists_take_the_same_words(shop: Shop, orders: Orders) -> None:
    order_id = await shop.confirmed(TEA=1)
    number = str((await shop.order(order_id)).number)
    await shop.hold_up(order_id)
    for wanted in (
        ("list", "--status", "placed,confirmed", "--since", "1d"),
        ("list", "--hold", "manual"),
        ("shipments", "list", number, "--status", "ready,packed", "--since", "1d"),
        ("shipments", "list", "--order", number),
        ("holds", "list", number),
        ("holds", "list", "--order", number, "--reason", "manual"),
    ):
        said = await orders(*wanted, "-o", "json")
        assert len(said.json["data"]) == 1, wanted
    for unknown in (
        ("list", "--status", "confirm"),
        ("holds", "list", "--reason", "x"),
    ):
        said = await orders(*unknown)
        assert (said.status, "confirmed" in said.err or "manual" in said.err) == (
            2,
            True,
        )


async def test_a_hold_is_assigned_and_decided(shop: Shop, orders: Orders) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=2)
    hold = await shop.held(order_id, HoldReason.STOCK)
    await orders("holds", "assign", hold.id, "grace")
    (listed,) = (
        await orders("holds", "list", "--assignee", "grace", "-o", "json")
    ).json["data"]
    assert "ship_partial" in listed["decisions"]
    await orders("holds", "release", hold.id, "ship_partial", "--note", "go on")
    order = await shop.until(order_id, has_no_hold)
    assert order.ship_partial


async def test_a_lost_workflow_is_resumed(shop: Shop, orders: Orders) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.workflow(order_id).terminate()
    process = await orders("process", order_id)
    assert "packing" in process.out
    await orders("resume", order_id)
    await shop.delivered(order_id)
    assert (await shop.ended(order_id)).status is OrderStatus.COMPLETED
