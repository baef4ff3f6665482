"""Everybody who has to do with the orders of a shop that is upgraded: they begin with
the API of one build, and go on with that of another."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace

import httpx2
from devstack.auth_headers import by_header
from devstack.seed.catalogue import PRODUCTS, deliveries
from devstack.seed.courses import CARD, PAST, TODAY, Course, is_packed
from devstack.seed.seeding import play
from devstack.seed.shop import CLERK, STOREKEEPER, Order, Shop
from devstack.stack import Stack
from temporalio.client import Client

from tests.faults.checker import findings
from tests.faults.customers import PLAIN
from tests.faults.evidence import gather
from tests.faults.people import Story, Town
from tests.faults.plan import Json
from tests.faults.run import SWEEP_AGAIN_SECONDS, pending, sweep, town_of
from tests.faults.system import System
from tests.faults.trouble import behave, misbehave

AT_ONCE = 8
REST_SECONDS = 300.0


async def _is_cancelled_when_packed(order: Order) -> None:
    """Its money is on the way back, and its label is given up."""
    await is_packed(order)
    reason = {"reason": "customer-request"}
    await order.do(CLERK, f"/v1/orders/{order.id}/cancellations", reason)


_NEVER_OVER = ("refund-fails",)
"""A card that takes nothing back, whichever build asks."""
COURSES = (
    *(course for course in (*PAST, *TODAY) if course.name not in _NEVER_OVER),
    Course("money-back", 1, _is_cancelled_when_packed, card="pm_card_pendingRefund"),
)
"""One to each state that orders, parcels, returns and refunds can be in."""


class _Follower(Story):
    """Of an order that somebody placed before; the carrier brings what was sent."""

    async def _scan(self, parcel: Json) -> None:
        name = f"scan-{parcel['tracking']}"
        url = f"{self._town.carrier}/v1/trackers/{parcel['tracking']}/scan"
        if not self._first_time(name):
            return
        while True:
            with suppress(httpx2.TransportError):
                answer = await self._town.http.post(url, json={"status": "delivered"})
                if answer.is_success:
                    return


class Street:
    def __init__(self, stack: Stack, resources: AsyncExitStack) -> None:
        self._system = System(stack, {})
        self._resources = resources
        self._numbers = itertools.count(1)
        self._towns: dict[str, Town] = {}
        self.placed: dict[str, str] = {}
        """The ids of orders by their references."""

    # ── before ──────────────────────────────────────────────────────────────────

    async def fill_shelves(self, api: str) -> None:
        """In words that every build knows."""
        shop = await self._shop(api)
        for product in PRODUCTS:
            known = {name: product.body[name] for name in ("name", "price", "tax_bp")}
            await shop.put(STOREKEEPER, f"/v1/products/{product.sku}", known)
        for place, units in deliveries().items():
            lines = [{"sku": sku, "quantity": n} for sku, n in units.items()]
            delivery = {"location": place, "lines": lines, "ref": place}
            await shop.post(STOREKEEPER, "/v1/stock/receipts", delivery, place)

    async def place(self, api: str, courses: Sequence[Course] = COURSES) -> list[str]:
        """One order of each course, which waits for somebody at its end. The ids."""
        shop, places = await self._shop(api), asyncio.Semaphore(AT_ONCE)

        async def one(course: Course) -> str:
            ref = f"upgrade-{next(self._numbers):04}"
            async with places:
                self.placed[ref] = await play(shop, ref, course)
            return self.placed[ref]

        return await asyncio.gather(*map(one, courses))

    # ── and after ───────────────────────────────────────────────────────────────

    async def finish(self, api: str, order_ids: Iterable[str]) -> None:
        """Do whatever is left to do about these orders, until they are over."""
        town = await self._town(api)
        async with asyncio.TaskGroup() as people:
            for order_id in order_ids:
                number = next(self._numbers)
                wish = replace(PLAIN, number=number, second_card=CARD)
                people.create_task(_Follower(town, wish).follow(order_id))

    @asynccontextmanager
    async def misbehaving(self) -> AsyncIterator[None]:
        """Provider and carrier drop answers and repeat themselves for that time."""
        (town, *_) = self._towns.values()
        await misbehave(self._system, town.http, seed=1)
        yield
        await behave(self._system, town.http)

    async def rest(self, client: Client) -> list[str]:
        """Wait until nothing is under way any more. What is wrong then."""
        (town, *_) = self._towns.values()
        deadline = time.monotonic() + REST_SECONDS
        while moving := await pending(self._system, town.http):
            if time.monotonic() > deadline:
                return moving
            await self.sweep(client)
            await asyncio.sleep(SWEEP_AGAIN_SECONDS)
        evidence = await gather(
            self.placed, self._system.stack.at, town.http, client, {}
        )
        ours = [w for w in evidence.broken if not w.endswith("TERMINATED")]
        broken = [error for town in self._towns.values() for error in town.broken]
        return [*broken, *findings(replace(evidence, broken=ours))]

    @asynccontextmanager
    async def sweeping(self, client: Client) -> AsyncIterator[None]:
        """The schedules run every few seconds, and not every few minutes."""

        async def again_and_again() -> None:
            while True:
                await self.sweep(client)
                await asyncio.sleep(SWEEP_AGAIN_SECONDS)

        task = asyncio.create_task(again_and_again())
        yield
        task.cancel()
        await asyncio.wait({task})

    async def sweep(self, client: Client) -> None:
        await sweep(self._system, client)

    # ── by which API ────────────────────────────────────────────────────────────

    async def _shop(self, api: str) -> Shop:
        return Shop(
            (await self._town(api)).http, self._system.stack.at.carrier, by_header
        )

    async def _town(self, api: str) -> Town:
        if api not in self._towns:
            self._towns[api] = await self._resources.enter_async_context(
                town_of(self._system, seed=1, api=api)
            )
        return self._towns[api]
