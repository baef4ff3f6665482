"""Back-orders: what arrives goes to those who wait for it, the oldest first; and the
money for it is held all the while."""

from shared.contracts.orders.holds import Decision, HoldReason
from shared.contracts.orders.names import ORDERS
from shared.contracts.orders.states import MoneyKind, OrderStatus, ShipmentStatus
from shared.contracts.orders.workflows import Order, Sweep
from shared.database.orders.snapshot import OrderSnapshot

from tests.conftest import Work
from tests.support.shop import Shop, has_hold, has_no_hold, has_parcel, has_status

CONFIRMED = has_status(OrderStatus.CONFIRMED)
READY = has_parcel(ShipmentStatus.READY)


async def back_ordered(shop: Shop, TEA: int) -> str:
    """A confirmed order of goods that are not there yet."""
    order_id = await shop.place(TEA=TEA)
    await shop.until(order_id, CONFIRMED)
    return order_id


async def test_a_receipt_serves_the_oldest_order_first(shop: Shop) -> None:
    await shop.stock(TEA=0, backorder=True)
    older, newer = await back_ordered(shop, TEA=2), await back_ordered(shop, TEA=1)
    await shop.stock(TEA=2)
    await shop.until(older, READY)
    assert (await shop.order(newer)).short == 1


async def test_what_the_oldest_leaves_goes_to_the_next(shop: Shop) -> None:
    await shop.stock(TEA=0, backorder=True)
    older, newer = await back_ordered(shop, TEA=2), await back_ordered(shop, TEA=2)
    await shop.stock(TEA=3)
    await shop.until(newer, READY)
    shorts = [(await shop.order(order_id)).short for order_id in (older, newer)]
    assert shorts == [0, 1]


async def test_a_held_order_goes_on_once_nothing_is_missing(shop: Shop) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place(TEA=2)
    hold = await shop.held(order_id, HoldReason.STOCK)
    await shop.stock(TEA=1)
    await shop.until(order_id, CONFIRMED)
    (row,) = await shop.fetch("SELECT decision FROM holds WHERE id = :id", id=hold.id)
    assert row.decision == Decision.SETTLED


async def test_a_held_order_that_got_a_part_stays_on_hold(shop: Shop) -> None:
    await shop.stock(TEA=0)
    order_id = await shop.place(TEA=2)
    await shop.held(order_id, HoldReason.STOCK)
    await shop.stock(TEA=1)
    order = await shop.until(order_id, lambda order: order.short == 1)
    assert order.hold(HoldReason.STOCK) is not None


async def test_a_newcomer_does_not_overtake_those_who_wait(
    closed_shop: Shop, work: Work
) -> None:
    shop = closed_shop
    async with work():
        await shop.stock(TEA=0)
        waiting = await shop.place(TEA=2)
        await shop.held(waiting, HoldReason.STOCK)
    await shop.stock(TEA=2)
    newcomer = await shop.place(TEA=1)
    async with work():
        await shop.until(waiting, CONFIRMED)
        await shop.held(newcomer, HoldReason.STOCK)


async def test_the_sweep_serves_orders_that_a_receipt_missed(shop: Shop) -> None:
    await shop.stock(TEA=0, backorder=True)
    order_id = await back_ordered(shop, TEA=1)
    await shop.fetch(
        "WITH m AS (INSERT INTO stock_movements"
        " (key, sku, location, on_hand, reason, actor)"
        " VALUES ('lost', 'TEA', 'berlin', 1, 'receipt', 'test'))"
        " INSERT INTO stock (sku, location, on_hand) VALUES ('TEA', 'berlin', 1)"
    )
    await shop.client.execute_workflow(Sweep.run, id="sweep", task_queue=ORDERS)
    await shop.until(order_id, READY)


async def test_the_second_parcel_is_paid_for_by_an_authorisation_of_its_own(
    shop: Shop,
) -> None:
    await shop.stock(TEA=1, backorder=True)
    order_id = await shop.place(TEA=2)
    await shop.delivered(order_id)
    await shop.stock(TEA=1)
    await shop.delivered(order_id)
    order = await shop.ended(order_id)
    first, second = order.payments
    assert order.captured == first.captured + second.captured == order.total
    assert second.off_session


async def test_a_saved_card_that_is_declined_asks_for_another(shop: Shop) -> None:
    await shop.stock(TEA=1, backorder=True)
    order_id = await shop.place("pm_card_declineOffSession", TEA=2)
    await shop.shipped(order_id)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.pay(order_id, "pm_card_visa")
    await shop.until(order_id, has_no_hold)
    await shop.stock(TEA=1)
    await shop.pack(order_id)


async def test_an_authorisation_is_renewed_before_it_ends(shop: Shop) -> None:
    await shop.stock(TEA=0, backorder=True)
    order_id = await back_ordered(shop, TEA=1)
    await six_days_later(shop, order_id)
    order = await shop.until(order_id, has_renewed)
    old, new = order.payments
    assert (old.held, new.held) == (0, order.total)
    assert new.off_session


async def test_a_renewal_that_is_declined_opens_a_payment_hold(shop: Shop) -> None:
    await shop.stock(TEA=0, backorder=True)
    order_id = await shop.place("pm_card_declineOffSession", TEA=1)
    await shop.until(order_id, CONFIRMED)
    await six_days_later(shop, order_id)
    order = await shop.until(order_id, has_hold(HoldReason.PAYMENT))
    assert order.payments[0].held == order.total


async def test_an_authorisation_that_is_short_lived_is_not_renewed_at_once(
    shop: Shop,
) -> None:
    await shop.stock(TEA=0, backorder=True)
    order_id = await shop.place("pm_card_expiring", TEA=1)
    order = await shop.until(order_id, CONFIRMED)
    assert len(order.payments) == 1


async def six_days_later(shop: Shop, order_id: str) -> None:
    """As if the authorisation had been made six days ago."""
    await shop.fetch(
        "UPDATE ledger SET created_at = created_at - interval '6 days 1 hour'"
        " WHERE payment_id IN (SELECT id FROM payments WHERE order_id = :id)",
        id=order_id,
    )
    await shop.fetch(
        "UPDATE payments SET capture_before = capture_before - interval"
        " '6 days 1 hour' WHERE order_id = :id",
        id=order_id,
    )
    await shop.workflow(order_id).signal(Order.nudge)


def has_renewed(order: OrderSnapshot) -> bool:
    released = [
        row for payment in order.payments for row in payment.rows(MoneyKind.RELEASE)
    ]
    return any(row.status == "succeeded" for row in released)
