"""What was decided by one thing is decided anew when that thing changes."""

from typing import Any

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import OrderStatus
from shared.database.orders.snapshot import OrderSnapshot

from tests.support.shop import ADDRESS, Refused, Shop, has_hold, has_no_hold, has_status

ABROAD = ADDRESS | {"country": "FR", "postal_code": "75001", "city": "Paris"}


async def change(shop: Shop, order_id: str, by: str = "clerk", **fields: Any) -> None:
    answer = await shop.http.patch(
        f"/v1/orders/{order_id}/contact",
        json=fields,
        headers={"If-Match": "*", "X-Dev-User": by},
    )
    assert answer.is_success, answer.text


def is_screened(order: OrderSnapshot) -> bool:
    return not order.unscreened


async def code_of(doing: Any) -> str:
    try:
        await doing
    except Refused as refused:
        return refused.code
    return "done"


async def test_a_confirmed_order_that_moves_abroad_waits_for_approval(
    shop: Shop,
) -> None:
    """Though it never said where the bill goes: to where it was to be sent at first."""
    order_id = await shop.confirmed(TEA=1)
    await change(shop, order_id, ship_to=ABROAD)
    parcel = (await shop.order(order_id)).shipments[0].id
    assert await code_of(shop.pack_parcel(parcel, {1: 1})) == "on-hold"
    hold = await shop.held(order_id, HoldReason.APPROVAL)
    assert hold.detail["findings"] == ["ships-abroad-of-billing"]
    assert await code_of(shop.pack_parcel(parcel, {1: 1})) == "on-hold"
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.COMPLETED


async def test_what_a_person_approved_is_asked_again_once_it_changes(
    shop: Shop,
) -> None:
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))
    await change(shop, order_id, email="somebody.else@example.com")
    await shop.until(order_id, has_hold(HoldReason.APPROVAL))
    await shop.decide(order_id, HoldReason.APPROVAL, "reject")
    order = await shop.ended(order_id)
    assert order.status is OrderStatus.CANCELLED


async def test_nobody_approves_what_they_did_not_see(shop: Shop) -> None:
    """It changes while somebody has a look: they decide about the old one, and the
    other way round whoever decides later decides once."""
    await shop.stock(GONG=2)
    order_id = await shop.place(GONG=2)
    seen = await shop.held(order_id, HoldReason.APPROVAL)
    await change(shop, order_id, phone="+49305550100")
    decision = {"decision": "approve", "note": "Seen."}
    late = shop.post(f"/v1/holds/{seen.id}/release", decision, **{"X-Dev-User": "boss"})
    assert await code_of(late) == "already-released"
    await shop.decide(order_id, HoldReason.APPROVAL, "approve")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_a_correction_that_changes_nothing_of_it_is_no_matter(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await change(shop, order_id, ship_to=ADDRESS | {"street": "Quagmirestieg 78"})
    order = await shop.until(order_id, is_screened)
    assert has_no_hold(order)
    await shop.delivered(order_id)


async def test_who_placed_or_changed_an_order_does_not_approve_it(shop: Shop) -> None:
    """Though it is in the name of somebody else."""
    await shop.stock(GONG=2)
    placing = {"X-Dev-User": "mallory"}
    order_id = await shop.place(GONG=2, headers=placing)
    await change(shop, order_id, by="trudy", phone="+49305550100")
    hold = await shop.held(order_id, HoldReason.APPROVAL)
    for hand in ("mallory", "trudy"):
        asked = shop.post(
            f"/v1/holds/{hold.id}/release",
            {"decision": "approve", "note": "Seen."},
            **{"X-Dev-User": hand},
        )
        assert await code_of(asked) == "four-eyes"
    await shop.decide(order_id, HoldReason.APPROVAL, "approve", by="boss")
    await shop.until(order_id, has_status(OrderStatus.CONFIRMED))


async def test_nobody_decides_about_an_order_of_their_own(shop: Shop) -> None:
    order_id = await shop.place(customer="clerk", TEA=1)
    hold = await shop.held(order_id, HoldReason.STOCK)
    asked = shop.post(
        f"/v1/holds/{hold.id}/release",
        {"decision": "wait", "note": "Mine."},
        **{"X-Dev-User": "clerk"},
    )
    assert await code_of(asked) == "four-eyes"
