"""The courses of the shop's orders: one for each state that an order can be in,
weighted as in a shop of that size."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from devstack.seed.catalogue import CURRENCY, LOCATIONS, SOLD_OUT, Product, in_stock
from devstack.seed.customers import Customer
from devstack.seed.shop import APPROVER, CLERK, WAREHOUSE, Json, Order, Refused

CARD = "pm_card_visa"
_SHIPPING = {"standard": 490, "express": 990}


@dataclass(frozen=True, kw_only=True)
class Basket:
    """What an order contains, how it is paid and where it goes."""

    customer: Customer
    lines: list[tuple[Product, int]]
    method: str
    card: str
    address: dict[str, str]

    def body(self, ref: str) -> Json:
        shipping = _SHIPPING[self.method]
        goods = sum(product.price * units for product, units in self.lines)
        return {
            "customer_id": self.customer.id,
            "external_ref": ref,
            "currency": CURRENCY,
            "lines": [
                {"sku": product.sku, "quantity": units} for product, units in self.lines
            ],
            "shipping": {"method": self.method, "amount": _eur(shipping)},
            "expected_total": _eur(goods + shipping),
            "contact": self.customer.contact,
            "ship_to": self.customer.address | self.address,
            "payment": {"method": self.card, "return_url": "http://localhost:3000/"},
        }


# ── goods ───────────────────────────────────────────────────────────────────────────


def a_few(chance: Random) -> list[tuple[Product, int]]:
    """One to four products that lie in one place."""
    ordinary = in_stock(chance.choice(LOCATIONS))
    chosen = chance.sample(ordinary, chance.choice((1, 1, 1, 2, 2, 3, 4)))
    return [(product, chance.choice((1, 1, 1, 2, 3))) for product in chosen]


def from_two_places(chance: Random) -> list[tuple[Product, int]]:
    first, second = chance.sample(LOCATIONS, 2)
    return [(chance.choice(in_stock(place)), 1) for place in (first, second)]


def several(chance: Random) -> list[tuple[Product, int]]:
    return [(chance.choice(in_stock(chance.choice(LOCATIONS))), 4)]


def sold_out(chance: Random) -> list[tuple[Product, int]]:
    return [*a_few(chance), (chance.choice(SOLD_OUT[:4]), 1)]


def dear(chance: Random) -> list[tuple[Product, int]]:
    """Above the limit that needs an approval."""
    home = chance.choice(LOCATIONS[:2])
    return [(chance.choice(in_stock(home, from_price=100_000, below=10**6)), 1)]


def worth_a_complaint(chance: Random) -> list[tuple[Product, int]]:
    """Above what a clerk may give back alone, below what needs approval."""
    home = chance.choice(LOCATIONS)
    return [(chance.choice(in_stock(home, from_price=3_000)), 5)]


Goods = Callable[[Random], list[tuple[Product, int]]]
Play = Callable[[Order], Awaitable[None]]


@dataclass(frozen=True)
class Course:
    """`of_500`: how many of 500 orders take it. `past`: it comes to an end by itself,
    and is dated back."""

    name: str
    of_500: int
    play: Play
    goods: Goods = a_few
    past: bool = False
    card: str = CARD
    address: dict[str, str] = field(default_factory=dict)


# ── what happens ────────────────────────────────────────────────────────────────────


async def is_ready(order: Order) -> None:
    await order.parcels()


async def is_packed(order: Order) -> None:
    for parcel in await order.parcels():
        await order.pack(parcel)


def is_seen(status: str) -> Play:
    async def play(order: Order) -> None:
        for parcel in await order.parcels():
            await order.ship(parcel, status)

    return play


async def is_half_sent(order: Order) -> None:
    await order.ship((await order.parcels())[0], "out_for_delivery")


arrives = is_seen("delivered")


async def is_completed(order: Order) -> None:
    await arrives(order)
    await order.until(lambda order: order["status"] == "completed")


def is_held(reason: str) -> Play:
    async def play(order: Order) -> None:
        await order.held(reason)

    return play


async def is_stopped(order: Order) -> None:
    await order.parcels()
    note = {"note": "The customer wants to change something and calls back."}
    await order.do(CLERK, f"/v1/orders/{order.id}/holds", note)


async def fails_when_packed(order: Order) -> None:
    with suppress(Refused):
        await is_packed(order)
    await order.held("payment")


async def is_cancelled(order: Order) -> None:
    await order.parcels()
    await _cancel(order, {"reason": "customer-request"})


async def is_cancelled_in_part(order: Order) -> None:
    await order.parcels()
    lines = [{"line": 1, "quantity": 1}]
    await _cancel(order, {"reason": "customer-request", "lines": lines})


async def _cancel(order: Order, body: Json) -> None:
    await order.do(CLERK, f"/v1/orders/{order.id}/cancellations", body)


async def is_returned(order: Order) -> None:
    await is_completed(order)
    asked = await _send_back(order)
    accepted = [{"line": 1, "accepted": 1, "disposition": "restock"}]
    path = f"/v1/returns/{asked['id']}/receive"
    await order.do(WAREHOUSE, path, {"lines": accepted})
    await order.until(lambda order: any(_succeeded(r) for r in order["refunds"]))


async def comes_back(order: Order) -> None:
    await is_completed(order)
    await _send_back(order)


async def asks_to_send_back_much(order: Order) -> None:
    await order.decide(APPROVER, "approval", "approve")
    await comes_back(order)


async def _send_back(order: Order) -> Json:
    body = {"lines": [{"line": 1, "quantity": 1, "reason": "does-not-fit"}]}
    return await order.do(CLERK, f"/v1/orders/{order.id}/returns", body)


async def is_apologised_for(order: Order) -> None:
    await is_completed(order)
    await _apologise(order, 250)
    await order.until(lambda order: any(_succeeded(r) for r in order["refunds"]))


async def waits_for_a_second_person(order: Order) -> None:
    await is_completed(order)
    await _apologise(order, 12_000)
    await order.held("refund")


async def gets_nothing_back(order: Order) -> None:
    await is_completed(order)
    await _apologise(order, 250)
    await order.held("refund")


async def _apologise(order: Order, amount: int) -> None:
    body = {"reason": "goodwill", "amount": _eur(amount), "note": "It came dented."}
    await order.do(CLERK, f"/v1/orders/{order.id}/refunds", body)


async def is_missed(order: Order) -> None:
    """The recipient was not at home."""
    await is_seen("failure")(order)
    await order.held("delivery")


async def is_disputed(order: Order) -> None:
    await is_packed(order)
    await order.held("dispute")


async def is_lost(order: Order) -> None:
    await is_seen("lost")(order)
    await order.decide(CLERK, "delivery", "refund")


def _succeeded(refund: Json) -> bool:
    return bool(refund["status"] == "succeeded")


def _eur(amount: int) -> Json:
    return {"amount": amount, "currency": CURRENCY}


_SPLIT = "pm_card_visa_multicapture"
_BANK_ASKS = "pm_card_threeDSecure2Required"
PAST = (
    Course("delivered", 208, arrives, past=True),
    Course("two-parcels", 20, arrives, from_two_places, past=True, card=_SPLIT),
    Course("cancelled", 40, is_cancelled, past=True),
    Course("returned", 20, is_returned, past=True),
    Course("goodwill", 10, is_apologised_for, past=True),
    Course("lost", 6, is_lost, past=True),
)
TODAY = (
    Course("ready", 50, is_ready),
    Course("packed", 25, is_packed),
    Course("on-its-way", 22, is_seen("out_for_delivery")),
    Course("half-sent", 8, is_half_sent, from_two_places, card=_SPLIT),
    Course("cancelled-in-part", 6, is_cancelled_in_part, several),
    Course("sold-out", 12, is_held("stock"), sold_out),
    Course("declined", 12, is_held("payment"), card="pm_card_chargeDeclined"),
    Course("asked-by-bank", 6, is_held("payment"), card=_BANK_ASKS),
    Course("capture-fails", 5, fails_when_packed, card="pm_card_captureFails"),
    Course("address", 8, is_held("address"), address={"postal_code": "1"}),
    Course("approval", 10, is_held("approval"), dear),
    Course("stopped", 6, is_stopped),
    Course("missed", 6, is_missed),
    Course("sent-back", 6, comes_back),
    Course("much-sent-back", 4, asks_to_send_back_much, dear),
    Course("complaint", 4, waits_for_a_second_person, worth_a_complaint),
    Course("refund-fails", 2, gets_nothing_back, card="pm_card_refundFail"),
    Course("disputed", 4, is_disputed, card="pm_card_createDispute"),
)
