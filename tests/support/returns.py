"""What people do who give goods or money back, in few words."""

from typing import Any

from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.states import MoneyStatus, ReturnStatus, ShipmentStatus
from shared.database.orders.snapshot import Refund, Return

from tests.support.shop import (
    PERSONAL,
    Json,
    Shop,
    When,
    has_parcel,
)

CLERK = {"X-Dev-User": "clerk"}
FINANCE = {"X-Dev-User": "finance"}


def eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


async def arrived(shop: Shop, card: str = "pm_card_visa", **units: int) -> str:
    """An order whose goods are with the customer."""
    order_id = await shop.confirmed(card, **units)
    await shop.delivered(order_id)
    await shop.until(order_id, has_parcel(ShipmentStatus.DELIVERED))
    return order_id


# ── money ───────────────────────────────────────────────────────────────────────────


async def give_back(shop: Shop, order_id: str, **wanted: Any) -> Json:
    """Ask for a refund, as a clerk: `amount=500`, `lines={1: 2}`, `shipping=True`."""
    who = wanted.pop("by", CLERK)
    body: Json = {"reason": "goodwill", "note": PERSONAL["note"]} | wanted
    if "amount" in body:
        body["amount"] = eur(body["amount"])
    if "lines" in body:
        body["lines"] = [{"line": n, "quantity": q} for n, q in body["lines"].items()]
    return await shop.post(f"/v1/orders/{order_id}/refunds", body, **who)


async def decide(
    shop: Shop, subject: str, decision: str, by: dict[str, str] = FINANCE
) -> Json:
    """Release the open hold of a refund or a return."""
    (hold,) = (await shop.get("/v1/holds", subject=subject))["data"]
    body = {"decision": decision, "note": PERSONAL["note"]}
    return await shop.post(f"/v1/holds/{hold['id']}/release", body, **by)


async def refunded(
    shop: Shop, order_id: str, refund_id: str, status: MoneyStatus
) -> Refund:
    order = await shop.until(order_id, lambda o: o.refund(refund_id).status is status)
    return order.refund(refund_id)


def refund_waits(refund_id: str) -> When:
    return lambda order: order.hold(HoldReason.REFUND, refund_id) is not None


async def paid_back(shop: Shop) -> int:
    """By the provider's own books."""
    return sum(book["refunded"] for book in await shop.payments.books())


async def provider_let_go(shop: Shop) -> bool:
    """Of what it held for the only payment."""
    (book,) = await shop.payments.books()
    return bool(book["status"] == "canceled")


# ── goods ───────────────────────────────────────────────────────────────────────────


async def send_back(
    shop: Shop, order_id: str, lines: dict[int, int], **headers: str
) -> Json:
    body = {
        "lines": [
            {"line": n, "quantity": units, "reason": "does-not-fit"}
            for n, units in lines.items()
        ],
        "note": PERSONAL["note"],
    }
    return await shop.post(f"/v1/orders/{order_id}/returns", body, **headers)


async def receive(
    shop: Shop,
    return_id: str,
    accepted: dict[int, int],
    into: str = "restock",
    at: str | None = None,
    deducted: dict[int, Json] | None = None,
    by: str = "warehouse",
) -> Json:
    body = receipt(accepted, into, deducted) | {"location": at}
    who = {"X-Dev-User": by}
    return await shop.post(f"/v1/returns/{return_id}/receive", body, **who)


def receipt(
    accepted: dict[int, int], into: str, deducted: dict[int, Json] | None = None
) -> Json:
    """Units and what is kept of their price, by line."""
    kept = deducted or {}
    return {
        "lines": [
            {"line": n, "accepted": units, "disposition": into}
            | ({"deduction": kept[n]} if n in kept else {})
            for n, units in accepted.items()
        ]
    }


async def returned(
    shop: Shop, order_id: str, return_id: str, status: ReturnStatus
) -> Return:
    order = await shop.until(order_id, lambda o: o.return_(return_id).status is status)
    return order.return_(return_id)
