"""The provider's books against the ledger: what was missed is healed, what nobody asked
for is given back, and the rest is told."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from shared.contracts.orders.holds import HoldReason
from shared.contracts.orders.payloads import Reconciled, Window
from shared.contracts.orders.states import MoneyStatus, OrderStatus
from shared.database.engine import Engine
from shared.database.orders.audit import AT_MOST, audit
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment
from worker.orders.adapters.stripe import StripePayments
from worker.orders.hold.screening import Limits
from worker.orders.local_try import LocalTries
from worker.orders.nudger import Nudger
from worker.orders.order.payments import PaymentActivities
from worker.orders.payment.attempts import AttemptLimits
from worker.orders.ports import Authorization
from worker.orders.refund.payments import RefundPaymentActivities
from worker.orders.store import OrderStore
from worker.orders.upkeep.reconcile import ReconcileActivities

from tests.support.shop import Refused, Shop, has_status
from tests.support.transactions import undone

CONFIRMED = has_status(OrderStatus.CONFIRMED)


@pytest.fixture
async def provider(shop: Shop) -> AsyncIterator[StripePayments]:
    """The same account, in other hands: support at the provider's dashboard."""
    provider = StripePayments("sk_test_core", shop.payments.url)
    yield provider
    await provider.close()


@pytest.fixture
def books(shop: Shop, provider: StripePayments) -> ReconcileActivities:
    store = OrderStore(shop.engine)
    payments = PaymentActivities(
        store, provider, Limits(), AttemptLimits(), LocalTries(1)
    )
    refunds = RefundPaymentActivities(store, provider, LocalTries(1))
    nudger = Nudger(lambda: shop.client)
    return ReconcileActivities(store, provider, payments, refunds, nudger)


async def reconcile(
    books: ReconcileActivities,
    *,
    after: str | None = None,
    told: Callable[..., None] | None = None,
) -> Reconciled:
    """Compare everything of the last hour."""
    now = datetime.now(UTC) + timedelta(seconds=1)
    environment = ActivityEnvironment()
    details = [] if after is None else [after]
    environment.info = replace(environment.info, heartbeat_details=details)
    environment.on_heartbeat = told or (lambda *_: None)
    window = Window(since=now - timedelta(hours=1), until=now)
    return await environment.run(books.reconcile, window)


async def findings(shop: Shop) -> list[tuple[str, str]]:
    rows = await shop.fetch("SELECT kind, subject FROM discrepancies")
    return [(row.kind, row.subject) for row in rows]


async def held_by_hand(shop: Shop, provider: StripePayments, payment_id: str) -> str:
    """An authorisation that our ledger does not know. Returns its reference."""
    made = await provider.authorize(
        Authorization(
            order_id="",
            payment_id=payment_id,
            amount=777,
            currency="EUR",
            method_ref="pm_card_visa",
            customer_ref=await provider.customer("somebody"),
            off_session=False,
            return_url=None,
        ),
        "by-hand",
    )
    return made.ref


async def held_at(shop: Shop, ref: str) -> int:
    (book,) = [b for b in await shop.payments.books() if b["payment_intent"] == ref]
    return int(book["capturable"])


async def test_books_that_agree_find_nothing(
    shop: Shop, books: ReconcileActivities
) -> None:
    await shop.delivered(await shop.confirmed(TEA=2))
    done = await reconcile(books)
    assert (done.checked, done.healed, done.found) == (1, 0, 0)


async def test_a_missed_webhook_is_healed_by_looking(
    shop: Shop, books: ReconcileActivities
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_authenticationRequired", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    await shop.payments.strike("webhook_off")
    await shop.payments.authenticate(succeed=True)
    assert (await reconcile(books)).healed == 1
    await shop.until(order_id, CONFIRMED)


async def test_a_refund_that_settled_unheard_is_healed(
    shop: Shop, books: ReconcileActivities
) -> None:
    order_id = await shop.confirmed("pm_card_pendingRefund", TEA=1)
    await shop.pack(order_id)
    await shop.cancel(order_id)
    await shop.until(order_id, lambda order: order.payments[0].ledger[-1].provider_ref)
    await shop.payments.strike("webhook_off")
    await shop.payments.advance(7200)
    await reconcile(books)
    order = await shop.order(order_id)
    assert [refund.status for refund in order.refunds] == [MoneyStatus.SUCCEEDED]


async def test_an_authorisation_of_a_failed_attempt_is_given_back(
    shop: Shop, books: ReconcileActivities, provider: StripePayments
) -> None:
    await shop.stock(TEA=1)
    order_id = await shop.place("pm_card_chargeDeclined", TEA=1)
    await shop.held(order_id, HoldReason.PAYMENT)
    (failed,) = (await shop.order(order_id)).payments
    orphan = await held_by_hand(shop, provider, failed.id)
    assert (await reconcile(books)).healed == 1
    assert await held_at(shop, orphan) == 0


async def test_a_hold_that_is_left_on_a_captured_payment_is_given_back(
    shop: Shop, books: ReconcileActivities
) -> None:
    """As when the provider has not heard that the rest was released."""
    await shop.stock(at="berlin", TEA=1)
    await shop.stock(at="munich", TEA=1)
    order_id = await shop.place("pm_card_visa_multicapture", TEA=2)
    await shop.shipped(order_id, at="berlin")
    order = await shop.order(order_id)
    (payment,) = order.payments
    await shop.workflow(order_id).terminate()
    await shop.fetch("UPDATE payments SET released = authorized - captured")
    await shop.fetch(
        "INSERT INTO ledger (id, payment_id, kind, amount, status, ref, attempt,"
        " settled_at) VALUES ('led_x', :id, 'release', :held, 'succeeded', :id, 1,"
        " now())",
        id=payment.id,
        held=payment.held,
    )
    assert (await reconcile(books)).healed == 1
    assert await held_at(shop, str(payment.provider_ref)) == 0
    assert await findings(shop) == []


async def test_a_payment_that_is_not_ours_is_told_and_left_alone(
    shop: Shop, books: ReconcileActivities, provider: StripePayments
) -> None:
    unknown = await held_by_hand(shop, provider, "pay_of_another_shop")
    await reconcile(books)
    assert await findings(shop) == [("payment-unknown", unknown)]
    assert await held_at(shop, unknown) == 777


async def test_a_refund_by_hand_is_told_once(
    shop: Shop, books: ReconcileActivities, provider: StripePayments
) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.shipped(order_id)
    (payment,) = (await shop.order(order_id)).payments
    ref = str(payment.provider_ref)
    await provider.refund(ref, 100, refund_id="by-hand", key="by-hand")
    first, second = await reconcile(books), await reconcile(books)
    assert (first.found, second.found) == (1, 0)
    assert await findings(shop) == [("money-differs", payment.id)]
    (row,) = await shop.fetch("SELECT detail FROM discrepancies")
    assert row.detail["refunded"] == {"ledger": 0, "provider": 100}


async def test_an_authorisation_cancelled_at_the_provider_is_made_again(
    shop: Shop, books: ReconcileActivities, provider: StripePayments
) -> None:
    order_id = await shop.confirmed(TEA=1)
    (payment,) = (await shop.order(order_id)).payments
    await shop.payments.strike("webhook_off")
    await provider.release(str(payment.provider_ref), "by-hand")
    assert (await reconcile(books)).healed == 1
    order = await shop.until(order_id, lambda order: len(order.payments) == 2)
    assert order.payments[0].held == 0


async def test_a_repeat_goes_on_where_the_last_one_broke_off(
    shop: Shop, books: ReconcileActivities
) -> None:
    await shop.confirmed(TEA=1)
    await shop.confirmed(TEA=1)
    seen: list[str] = []
    await reconcile(books, told=lambda *ref: seen.extend(ref))
    assert (await reconcile(books, after=seen[-2])).checked == 1


async def test_looking_for_what_moved_forgets_no_progress(
    shop: Shop, books: ReconcileActivities, provider: StripePayments
) -> None:
    """A heartbeat without a reference would; and a long list of payments that are known
    would have none."""
    unknown = await held_by_hand(shop, provider, "pay_of_another_shop")
    beats: list[tuple[str, ...]] = []
    await reconcile(books, told=lambda *ref: beats.append(ref))
    assert beats == [(unknown,)]


async def test_finance_resolves_a_discrepancy_with_a_note(
    shop: Shop, books: ReconcileActivities, provider: StripePayments
) -> None:
    await held_by_hand(shop, provider, "pay_of_another_shop")
    await reconcile(books)
    (found,) = (await shop.get("/v1/discrepancies"))["data"]
    path = f"/v1/discrepancies/{found['id']}/resolve"
    resolved = await shop.post(path, {"note": "the old shop"}, **{"X-Dev-User": "flo"})
    assert (resolved["resolved_by"], resolved["note"]) == ("flo", "the old shop")
    assert (await shop.get("/v1/discrepancies"))["data"] == []
    with pytest.raises(Refused, match="flo has resolved it"):
        await shop.post(path, {"note": "me too"})
    # Its cause is still there, so it is found again.
    assert (await reconcile(books)).found == 1


async def test_one_fault_with_many_rows_is_told_by_some_of_them(
    engine: Engine,
) -> None:
    async with undone(engine) as connection:
        await connection.execute(
            text(
                "WITH sold AS (INSERT INTO products (sku, name, price, currency)"
                "  SELECT 'S' || n, 'x', 1, 'EUR' FROM generate_series(1, 1500) n"
                "  RETURNING sku)"
                " INSERT INTO stock (sku, location, on_hand)"
                "  SELECT sku, 'b', 1 FROM sold"
            )
        )
        found = await audit(connection)
    assert len(found) == AT_MOST


async def test_the_audit_is_empty_until_something_is_wrong(shop: Shop) -> None:
    await shop.confirmed(TEA=1)
    assert (await shop.get("/v1/audit"))["data"] == []
    await shop.fetch("UPDATE stock SET on_hand = on_hand + 1")
    (row,) = (await shop.get("/v1/audit"))["data"]
    assert (row["view"], row["subject"]) == ("audit_stock", "TEA@berlin")
    await shop.fetch("UPDATE stock SET on_hand = on_hand - 1")
