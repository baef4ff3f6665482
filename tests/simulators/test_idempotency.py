"""Idempotency keys: what makes repeating a request safe, and what does not."""

import asyncio

import pytest
import stripe

from tests.simulators.shop import Shop, new_key


async def test_the_same_request_twice_has_one_effect(shop: Shop) -> None:
    key = new_key()
    first, second = await shop.intent(key=key), await shop.intent(key=key)
    assert first.id == second.id
    assert second.last_response
    assert second.last_response.headers["Idempotent-Replayed"] == "true"


async def test_a_refusal_is_replayed_too(shop: Shop) -> None:
    key, ids = new_key(), []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            await shop.intent("pm_card_chargeDeclined", key=key)
        assert declined.value.error
        assert declined.value.error.payment_intent
        ids.append(declined.value.error.payment_intent.id)
    assert ids[0] == ids[1]


async def test_a_refusal_is_replayed_though_it_would_no_longer_be_given(
    shop: Shop,
) -> None:
    intent = await shop.intent(method=None)
    path, key = f"/v1/payment_intents/{intent.id}", {"Idempotency-Key": new_key()}
    early = await shop.http.post(f"{path}/capture", headers=key)
    await shop.http.post(f"{path}/confirm", data={"payment_method": "pm_card_visa"})
    late = await shop.http.post(f"{path}/capture", headers=key)
    assert (early.status_code, late.json()) == (400, early.json())
    assert late.headers["Original-Request"] == early.headers["Request-Id"]


async def test_other_parameters_under_the_same_key_are_refused(shop: Shop) -> None:
    key = new_key()
    intent = await shop.intent(key=key, amount=5000)
    with pytest.raises(stripe.IdempotencyError):
        await shop.intent(key=key, amount=5001)
    with pytest.raises(stripe.IdempotencyError):
        await shop.api.v1.payment_intents.cancel_async(
            intent.id, options={"idempotency_key": key}
        )


async def test_a_key_is_in_use_while_its_request_runs(shop: Shop) -> None:
    key = new_key()
    await shop.switch_on("slow", "POST /v1/payment_intents$", count=1, delay_ms=1000)
    tries = await asyncio.gather(
        *(shop.intent(key=key) for _ in range(2)), return_exceptions=True
    )
    (refusal,) = [t for t in tries if isinstance(t, stripe.StripeError)]
    assert refusal.error
    assert (refusal.http_status, refusal.error.code) == (409, "idempotency_key_in_use")
    assert (await shop.intent(key=key)).status == "requires_capture"


async def test_of_one_key_posted_twenty_times_one_intent_comes(shop: Shop) -> None:
    key = new_key()
    tries = await asyncio.gather(
        *(shop.intent(key=key) for _ in range(20)), return_exceptions=True
    )
    assert len({t.id for t in tries if isinstance(t, stripe.PaymentIntent)}) == 1


async def test_a_key_belongs_to_its_account(shop: Shop) -> None:
    key = new_key()
    mine = await shop.intent(key=key)
    response = await shop.control.post(
        "/v1/customers",
        headers={"Authorization": "Bearer sk_test_other", "Idempotency-Key": key},
    )
    assert response.json()["id"] != mine.id
    assert response.status_code == 200


async def test_a_request_that_made_no_sense_can_be_corrected_under_its_key(
    shop: Shop,
) -> None:
    key = new_key()
    with pytest.raises(stripe.InvalidRequestError):
        await shop.intent(key=key, currency="nothing")
    assert (await shop.intent(key=key)).status == "requires_capture"


async def test_after_a_day_a_key_makes_a_new_request(shop: Shop) -> None:
    key = new_key()
    first = await shop.intent(key=key)
    await shop.advance(24 * 3600 - 1)
    assert (await shop.intent(key=key)).id == first.id
    await shop.advance(2)
    assert (await shop.intent(key=key)).id != first.id
