"""Customers, operators and a warehouse who want what the plan says.

They act through the HTTP API, and like good clients they send again, under the same
key, whatever was not answered.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
from shared.database.kernel.unit_of_work import CHANNEL
from shared.database.listen import Listener, Wake

from tests.faults.plan import Json, Wish

PRICES = {
    "TEA-ASSAM": 1290,
    "TEA-SENCHA": 1490,
    "MUG-BLUE": 990,
    "GIFT-CARD-BOX": 490,
    "KETTLE": 4990,
}
LIES_AT = {
    "berlin": {"TEA-ASSAM", "TEA-SENCHA", "MUG-BLUE", "KETTLE"},
    "leipzig": {"TEA-ASSAM", "MUG-BLUE", "GIFT-CARD-BOX"},
}
"""Some in both, so that parcels move; some in one, so that orders must be split."""
SHIPPING = 490
PARCEL = {"weight_g": 900, "length_mm": 300, "width_mm": 200, "height_mm": 150}
ADDRESS = {
    "name": "Ada Example",
    "street": "Example Street 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
}
ABROAD = ADDRESS | {"city": "Wien", "postal_code": "1010", "country": "AT"}
COME_AGAIN = (429, 503)
FINAL = ("completed", "cancelled")


@dataclass
class Town:
    """Where all of them live: the shop's address, and what was heard from it."""

    seed: int
    http: httpx2.AsyncClient
    carrier: str
    listener: Listener
    # The ids of orders whose placement was answered, by the number of the wish.
    answered: dict[int, str] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    broken: list[str] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: Json | None = None, **headers: str
    ) -> httpx2.Response:
        """Send until the answer is something other than "try again later"."""
        while True:
            wait = 0.5
            try:
                answer = await self.http.request(
                    method, path, json=body, headers=headers
                )
            except httpx2.TransportError:
                self.unanswered += 1
            else:
                if answer.status_code == 500:
                    self.broken.append(f"{method} {path} answered 500: {answer.text}")
                elif answer.status_code not in COME_AGAIN:
                    return answer
                wait = float(answer.headers.get("retry-after", wait))
            await asyncio.sleep(wait)


class Story:
    """One order and everybody involved in it, until there is nothing left to do.
    Level-triggered like the order itself: look, do what is needed now, wait."""

    def __init__(self, town: Town, wish: Wish) -> None:
        self._town = town
        self._wish = wish
        self._done: set[str] = set()
        self.order_id: str | None = None
        self.order: Json = {}
        self.ended = False

    async def tell(self) -> None:
        placed = await self._command(
            "place", "/v1/orders", order_of(self._town.seed, self._wish)
        )
        if placed is None:
            self.ended = True
            return
        await self.follow(str(placed["id"]))

    async def follow(self, order_id: str) -> None:
        """The same from wherever the order is, whoever placed it."""
        self.order_id = order_id
        self._town.answered[self._wish.number] = order_id
        with self._town.listener.subscribe(CHANNEL, self.order_id) as wake:
            while not self.ended:
                await self._look()
                self.ended = not await self._act() and not await self._wait(wake)

    async def _look(self) -> None:
        answer = await self._town.ask("GET", f"/v1/orders/{self.order_id}")
        if not answer.is_success:
            raise LookupError(f"{self.order_id} was answered and is gone: {answer}")
        self.order = answer.json()

    async def _wait(self, wake: Wake) -> bool:
        """False when there is nothing to wait for."""
        if self._nothing_is_left():
            return False
        await wake.wait(5)
        return True

    def where(self) -> str:
        """Where the order stands, for people."""
        shown = ("status", "holds", "shipments", "returns", "refunds")
        return str({name: self.order.get(name) for name in shown})

    def _nothing_is_left(self) -> bool:
        order, wish = self.order, self._wish
        unpacked = any(parcel["status"] == "ready" for parcel in order["shipments"])
        if wish.left_unpacked and order["status"] == "confirmed" and unpacked:
            return not order["holds"]
        return (
            order["status"] in FINAL
            and not order["holds"]
            and all(r["status"] != "pending" for r in order["refunds"])
            and all(
                r["status"] in ("closed", "rejected", "expired")
                for r in order["returns"]
            )
            and all(
                p["status"] not in ("packed", "shipped") for p in order["shipments"]
            )
        )

    # ── what to do next ─────────────────────────────────────────────────────────

    async def _act(self) -> bool:
        """Do one thing, the most pressing. False when nothing is to be done now."""
        return (
            await self._decide()
            or await self._cancel()
            or await self._send()
            or await self._return()
            or await self._goodwill()
        )

    async def _decide(self) -> bool:
        for hold in self.order["holds"]:
            if self._first_time(f"decide-{hold['id']}"):
                await self._release(hold)
                return True
        return False

    async def _release(self, hold: Json) -> None:
        second = self._wish.second_card
        if hold["reason"] == "payment" and second and self._first_time("pay"):
            path = f"/v1/orders/{self.order_id}/payments"
            if await self._command("pay", path, {"method": second}) is not None:
                return
        decision = {
            "approval": "approve" if self._wish.approved else "reject",
            "stock": "cancel_lines",
            "payment": "cancel",
            "address": "cancel",
            "delivery": "reship" if self._wish.reship else "refund",
            "refund": "approve",
            "manual": "release",
            "dispute": "release",
        }[hold["reason"]]
        await self._command(
            f"release-{hold['id']}",
            f"/v1/holds/{hold['id']}/release",
            {"decision": decision, "note": "As it was decided before."},
            # Whoever decided to pay back for what was lost does not approve it, too.
            who="finance" if hold["reason"] == "refund" else "operator",
        )

    async def _cancel(self) -> bool:
        wish = self._wish
        if wish.cancel_at is None or not self._reached(wish.cancel_at):
            return False
        if not self._first_time("cancel"):
            return False
        body: Json = {"reason": "customer-request"}
        if not wish.cancel_all:
            body["lines"] = [{"line": 1, "quantity": 1}]
        path = f"/v1/orders/{self.order_id}/cancellations"
        await self._command("cancel", path, body)
        return True

    def _reached(self, stage: str) -> bool:
        match stage:
            case "placed":
                return True
            case "confirmed":
                return bool(self.order["status"] == "confirmed")
        return any(parcel["status"] == "packed" for parcel in self.order["shipments"])

    async def _send(self) -> bool:
        if self._wish.left_unpacked or self.order["holds"]:
            return False
        for parcel in self.order["shipments"]:
            # What was refused is tried again when something has changed.
            name = f"{parcel['status']}-{parcel['id']}-{self.order['version']}"
            step = {
                "ready": self._pack,
                "packed": self._ship,
                "shipped": self._scan,
            }.get(parcel["status"])
            if step is not None and self._first_time(name):
                await step(parcel)
                return True
        return False

    async def _pack(self, parcel: Json) -> None:
        if self._wish.moves and self._first_time("move"):
            await self._move(parcel)
        lines = [dict(line) for line in parcel["lines"]]
        if self._wish.short_pick and self._first_time("short"):
            lines[0]["quantity"] -= 1
        path = f"/v1/shipments/{parcel['id']}/pack"
        await self._command(
            f"pack-{parcel['id']}", path, {"lines": lines, "parcel": PARCEL}
        )

    async def _move(self, parcel: Json) -> None:
        """Refused where not all of it lies at the other warehouse."""
        (other,) = set(LIES_AT) - {parcel["location"]}
        path = f"/v1/shipments/{parcel['id']}/move"
        await self._command(f"move-{parcel['id']}", path, {"location": other})

    async def _ship(self, parcel: Json) -> None:
        await self._town.ask("GET", f"/v1/shipments/{parcel['id']}/label")
        path = f"/v1/shipments/{parcel['id']}/ship"
        await self._command(f"ship-{parcel['id']}", path, {})

    async def _scan(self, parcel: Json) -> None:
        if self._wish.scan is None or not self._first_time("scan"):
            return  # the courier delivers it
        url = f"{self._town.carrier}/v1/trackers/{parcel['tracking']}/scan"
        with suppress(httpx2.TransportError):
            await self._town.http.post(url, json={"status": self._wish.scan})

    async def _return(self) -> bool:
        for sent_back in self.order["returns"]:
            if sent_back["status"] == "requested" and self._first_time("approve"):
                path = f"/v1/returns/{sent_back['id']}/approve"
                await self._command("approve", path, {}, who="operator")
                return True
            if sent_back["status"] == "approved" and self._first_time("receive"):
                await self._receive(sent_back)
                return True
        if not (self._wish.sends_back and self._arrived() and self._first_time("back")):
            return False
        lines = [{"line": self._arrived(), "quantity": 1, "reason": "does-not-fit"}]
        path = f"/v1/orders/{self.order_id}/returns"
        await self._command("back", path, {"lines": lines})
        return True

    async def _receive(self, sent_back: Json) -> None:
        lines = [
            {"line": item["line"], "accepted": item["quantity"]}
            | {"disposition": "restock"}
            for item in sent_back["lines"]
        ]
        path = f"/v1/returns/{sent_back['id']}/receive"
        await self._command("receive", path, {"lines": lines})

    async def _goodwill(self) -> bool:
        amount = self._wish.goodwill
        if not (amount and self._arrived() and self._first_time("goodwill")):
            return False
        body = {
            "reason": "goodwill",
            "amount": _eur(amount),
            "note": "It came late.",
        }
        path = f"/v1/orders/{self.order_id}/refunds"
        await self._command("goodwill", path, body, who="clerk")
        return True

    def _arrived(self) -> int:
        """A line whose goods are with the customer; 0 where none is."""
        if self.order["status"] != "completed":
            return 0
        return next(
            (line["line"] for line in self.order["lines"] if line["shipped"]), 0
        )

    # ── how it is done ──────────────────────────────────────────────────────────

    def _first_time(self, what: str) -> bool:
        first = what not in self._done
        self._done.add(what)
        return first

    async def _command(
        self, name: str, path: str, body: Json, *, who: str = "storefront"
    ) -> Json | None:
        """The answer, or None where it was refused."""
        attempt = sum(done.startswith(f"sent-{name}-") for done in self._done)
        self._done.add(f"sent-{name}-{attempt}")
        key = f"{self._town.seed}-{self._wish.number}-{name}-{attempt}"
        headers = {"Idempotency-Key": key, "X-Dev-User": who}
        answer = await self._town.ask("POST", path, body, **headers)
        if answer.is_success:
            found: Json = answer.json()
            return found
        code = str(answer.json().get("type", answer.status_code)).rpartition("/")[2]
        self._town.refusals[f"{name.partition('-')[0]}: {code}"] += 1
        return None


def order_of(seed: int, wish: Wish) -> Json:
    goods = sum(PRICES[sku] * units for sku, units in wish.lines.items())
    order: dict[str, Any] = {
        "customer_id": f"customer-{wish.number}",
        "external_ref": reference(seed, wish.number),
        "currency": "EUR",
        "lines": [{"sku": sku, "quantity": n} for sku, n in wish.lines.items()],
        "shipping": {"method": "standard", "amount": _eur(SHIPPING)},
        "expected_total": _eur(goods + SHIPPING),
        "contact": {"name": "Ada Example", "email": f"{wish.number}@example.com"},
        "ship_to": ADDRESS,
        "payment": {"method": wish.card, "return_url": "https://shop.example.com"},
    }
    return order | ({"bill_to": ABROAD} if wish.ships_abroad else {})


def reference(seed: int, number: int) -> str:
    """By which an order is found if its placement was never answered."""
    return f"run-{seed}-{number}"


def _eur(amount: int) -> Json:
    return {"amount": amount, "currency": "EUR"}


async def stock_up(town: Town) -> None:
    """Plenty of everything but kettles, which run out some day."""
    for location, skus in LIES_AT.items():
        lines = [{"sku": sku, "quantity": 50_000} for sku in skus if sku != "KETTLE"]
        path = f"/v1/locations/{location}"
        known = await town.ask("PUT", path, {"name": location.title()})
        known.raise_for_status()
        body = {"location": location, "lines": lines, "ref": "plenty", "again": True}
        key = {"Idempotency-Key": f"{town.seed}-{location}"}
        answer = await town.ask("POST", "/v1/stock/receipts", body, **key)
        answer.raise_for_status()
