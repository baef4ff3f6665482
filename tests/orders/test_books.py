"""Whatever happens to orders, in whatever order, the books balance after each step, and
the provider's agree with ours in the end."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from api.orders.order.presenter import show_order
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from shared.contracts.orders.holds import HOLDS, Decision
from shared.contracts.orders.states import MoneyStatus, ShipmentStatus
from shared.database.orders.snapshot import Payment
from temporalio.client import Client

from tests.support.activities import Actors, open_actors
from tests.support.infrastructure import Services
from tests.support.peers import Host, hosting
from tests.support.priced import KINDS

T = TypeVar("T")

# Most cards work: an order that is never paid for has few adventures.
CARDS = [
    *("pm_card_visa", "pm_card_visa_multicapture") * 3,
    "pm_card_chargeDeclined",
    "pm_card_captureFails",
]
FAULTS = ["drop_answer", "stored_error", "stored_error_after_effect", "error"]
MOST_STEPS = 40
"""From any state an order comes to rest within so many; else it runs in a circle."""

units = st.integers(1, 3)
which = st.integers(0, 20)
prices = st.sampled_from(sorted(KINDS))
lag = st.sampled_from([8, 0, 1, 3])
"""How far the workflow gets before the next thing happens."""


class World:
    """What all examples share, on an event loop that the machine can drive."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.host: Host = await self._stack.enter_async_context(hosting())
        self.client = await Client.connect(self.services.temporal)

    def close(self) -> None:
        self.runner.run(self._stack.aclose())
        self.runner.close()


class Orders(RuleBasedStateMachine):
    world: World

    def __init__(self) -> None:
        super().__init__()
        self.files = Path(tempfile.mkdtemp(prefix="books-"))
        self.stack = AsyncExitStack()
        world = self.world
        entering = open_actors(world.services, world.host, world.client, self.files)
        self.actors: Actors = self.run(self.stack.enter_async_context(entering))
        self.orders: list[str] = []
        self.shown: dict[tuple[str, int], str] = {}

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.world.runner.run(doing)

    # ── what people do ──────────────────────────────────────────────────────────

    @initialize(first=prices, second=prices)
    def open_with_stock_and_orders(self, first: str, second: str) -> None:
        self.run_location("x", True, 0)
        self.run_location("y", True, 0)
        self.receive("TEA", "x", 3)
        self.receive("TEA", "y", 2)
        self.receive("MUG", "x", 2)
        self.place("pm_card_visa", 3, 1, first)
        self.place("pm_card_visa_multicapture", 2, 1, second)

    @rule(sku=st.sampled_from(["TEA", "MUG"]), at=st.sampled_from("xy"), n=units)
    def receive(self, sku: str, at: str, n: int) -> None:
        self.run(self.actors.receive(sku, at, n))

    @precondition(lambda self: len(self.orders) < 4)
    @rule(
        card=st.sampled_from(CARDS),
        tea=units,
        mugs=st.integers(0, 2),
        priced=prices,
    )
    def place(self, card: str, tea: int, mugs: int, priced: str) -> None:
        wanted = {"TEA": tea, "MUG": mugs} if mugs else {"TEA": tea}
        there = self.run(self.actors.supply())
        self.orders.append(self.run(self.actors.place(card, wanted, priced)))
        self.leaves_in_as_few_parcels_as_it_can(wanted, there)

    def leaves_in_as_few_parcels_as_it_can(
        self, wanted: dict[str, int], there: dict[tuple[str, str], int]
    ) -> None:
        reserved = self.run(self.actors.order(self.orders[-1])).reservations
        for r in reserved:
            assert r.qty <= there[r.sku, r.location]
        enough = [
            places
            for places in ("x", "y", "xy")
            if all(
                sum(there.get((sku, place), 0) for place in places) >= units
                for sku, units in wanted.items()
            )
        ]
        if reserved:
            assert len({r.location for r in reserved}) == len(min(enough, key=len))

    @rule(
        at=st.sampled_from("xy"),
        active=st.sampled_from([True, True, False]),
        kept=st.integers(0, 2),
    )
    def run_location(self, at: str, active: bool, kept: int) -> None:
        self.run(self.actors.run_location(at, active, kept))

    @rule(
        n=which,
        lines=st.sampled_from([{1: 1}, {1: 2}, {2: 1}, {1: 1, 2: 1}, {}]),
        then=lag,
    )
    def cancel(self, n: int, lines: dict[int, int], then: int) -> None:
        self.run(self.actors.cancel(self.order(n), lines))
        self.work(n, then)

    @rule(n=which, decided=st.integers(0, 3), silence=st.booleans(), then=lag)
    def decide(self, n: int, decided: int, silence: bool, then: int) -> None:
        for hold in self.run(self.actors.order(self.order(n))).holds:
            choices = [Decision(word) for word in HOLDS[hold.reason].decisions]
            if silence:
                self.run(self.actors.expire(hold))
            else:
                self.run(self.actors.decide(hold, choices[decided % len(choices)]))
        self.work(n, then)

    # ── what the warehouse and the carrier do ───────────────────────────────────

    @rule(n=which, missing=st.sampled_from([0, 0, 1]), paid=st.booleans(), before=lag)
    def pick(self, n: int, missing: int, paid: bool, before: int) -> None:
        self.work(n, before)
        for parcel in self.parcels(n, ShipmentStatus.READY):
            self.run(self.actors.pick(self.order(n), parcel, missing))
            if paid:
                self.work(n, 2)

    @rule(n=which, arrives=st.booleans(), then=lag)
    def ship(self, n: int, arrives: bool, then: int) -> None:
        self.work(n, 2)
        for parcel in self.parcels(n, ShipmentStatus.PACKED):
            self.run(self.actors.ship(self.order(n), parcel))
        if arrives:
            for parcel in self.parcels(n, ShipmentStatus.SHIPPED):
                self.run(self.actors.deliver(self.order(n), parcel))
        self.work(n, then)

    @rule(n=which, line=st.integers(1, 2), units=units, kept=st.integers(0, 3000))
    def take_back(self, n: int, line: int, units: int, kept: int) -> None:
        """What has arrived, and before that what can."""
        self.pick(n, 0, paid=True, before=8)
        self.ship(n, arrives=True, then=0)
        self.run(self.actors.take_back(self.order(n), line, units, kept))

    @rule(n=which, to=st.sampled_from("xy"), then=lag)
    def move(self, n: int, to: str, then: int) -> None:
        for parcel in self.parcels(n, ShipmentStatus.READY):
            self.run(self.actors.move(self.order(n), parcel, to))
        self.work(n, then)

    @rule(n=which, then=lag)
    def take_apart(self, n: int, then: int) -> None:
        for parcel in self.parcels(n, ShipmentStatus.READY, ShipmentStatus.PACKED)[:1]:
            self.run(self.actors.take_apart(self.order(n), parcel))
        self.work(n, then)

    # ── what the workflows and the provider do ──────────────────────────────────

    @rule(n=which, steps=lag)
    def work(self, n: int, steps: int) -> None:
        for _ in range(steps):
            if not self.run(self.actors.step(self.order(n))):
                return

    @rule(fault=st.sampled_from(FAULTS))
    def misbehave(self, fault: str) -> None:
        self.run(self.actors.payments.strike(fault, "POST /v1", count=1))

    @rule(dice=st.randoms(use_true_random=True))
    def a_busy_day(self, dice: random.Random) -> None:
        """Hypothesis likes few rules and small numbers: this mixes them evenly."""
        for _ in range(8):
            self.a_deed(dice, n=dice.randrange(4), then=dice.choice([0, 1, 3, 8]))
            self.the_books_balance()

    def a_deed(self, dice: random.Random, n: int, then: int) -> None:
        deeds: list[Callable[[], None]] = [
            lambda: self.receive(dice.choice(["TEA", "MUG"]), "x", 2),
            lambda: self.cancel(n, {dice.choice([1, 1, 2]): 1}, then),
            lambda: self.decide(n, dice.randrange(4), dice.random() < 0.3, then),
            lambda: self.pick(n, int(dice.random() < 0.1), True, 8),
            lambda: self.pick(n, 0, dice.random() < 0.5, then),
            lambda: self.ship(n, dice.random() < 0.5, then),
            lambda: self.take_back(n, 1, 1, dice.choice([0, 100, 400, 3000])),
            lambda: self.move(n, dice.choice("xy"), then),
            lambda: self.run_location(dice.choice("xy"), dice.random() < 0.8, 0),
            lambda: self.take_apart(n, then),
            lambda: self.work(n, then),
        ]
        dice.choice(deeds)()

    # ── what must hold ──────────────────────────────────────────────────────────

    @invariant()
    def the_books_balance(self) -> None:
        assert self.run(self.actors.wrong()) == []

    @invariant()
    def an_order_that_looks_different_has_another_version(self) -> None:
        """Lists and ETags rely on it: docs/adr/0130."""
        for order_id in self.orders:
            order = self.run(self.actors.order(order_id))
            shown = show_order(order).model_dump_json()
            known = self.shown.setdefault((order_id, order.version), shown)
            assert shown == known

    def teardown(self) -> None:
        try:
            self.run(self.actors.payments.recover())
            for order_id in self.orders:
                self.come_to_rest(order_id)
            self.the_books_balance()
            self.the_provider_agrees()
        finally:
            self.run(self.stack.aclose())
            shutil.rmtree(self.files)

    def come_to_rest(self, order_id: str) -> None:
        for _ in range(MOST_STEPS):
            self.run(self.actors.pay_back(order_id))
            goes_on = self.run(self.actors.step(order_id))
            if not goes_on and not self.is_asked(order_id):
                return
        raise AssertionError(f"{order_id} runs in a circle")

    def is_asked(self, order_id: str) -> bool:
        """Whether the provider has to be asked again, as workflows do until it answers:
        it may have spoilt one key after the other."""
        return any(map(pending, self.run(self.actors.order(order_id)).payments))

    def the_provider_agrees(self) -> None:
        books = {book["payment_intent"]: book for book in self.run(self.books())}
        for order_id in self.orders:
            for payment in self.run(self.actors.order(order_id)).payments:
                assert not pending(payment)
                book = books.pop(payment.provider_ref, None)
                if book is None:
                    assert payment.authorized == 0
                    continue
                assert book["captured"] == payment.captured
                assert book["refunded"] == payment.refunded
                assert book["capturable"] == payment.held
        assert not [book for book in books.values() if book["authorized"]]

    async def books(self) -> list[dict[str, Any]]:
        return await self.actors.payments.books()

    # ── who is meant ────────────────────────────────────────────────────────────

    def order(self, n: int) -> str:
        return self.orders[n % len(self.orders)]

    def parcels(self, n: int, *statuses: ShipmentStatus) -> list[Any]:
        order = self.run(self.actors.order(self.order(n)))
        return [parcel for parcel in order.shipments if parcel.status in statuses]


def pending(payment: Payment) -> bool:
    return any(row.status is MoneyStatus.PENDING for row in payment.ledger)


# A failure is reported as it was found: shrinking it takes minutes, which the slow form
# has.
FEW = settings(
    max_examples=10, stateful_step_count=15, phases=set(Phase) - {Phase.shrink}
)
MANY = settings(max_examples=120, stateful_step_count=30)


@pytest.mark.parametrize(
    "extent",
    [
        pytest.param(FEW, id="few"),
        pytest.param(
            MANY, id="many", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]
        ),
    ],
)
def test_the_books_balance_whatever_happens(
    services: Services, extent: settings
) -> None:
    world = World(services)

    class OrdersHere(Orders):
        pass

    OrdersHere.world = world
    try:
        run_state_machine_as_test(
            OrdersHere,
            settings=settings(
                extent,
                deadline=None,
                # What to paste to see a failure again, which is in no database in CI.
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        world.close()
