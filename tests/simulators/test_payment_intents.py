"""An intent from its creation to the money, as Stripe's own client sees it."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.simulators.shop import Shop, charge_of, metadata_of

WANTS_SEVERAL: dict[str, Any] = {
    "payment_method_options": {"card": {"request_multicapture": "if_available"}}
}


async def test_an_authorisation_holds_the_money_and_moves_none(shop: Shop) -> None:
    intent = await shop.intent(amount=5000)
    assert intent.status == "requires_capture"
    assert (intent.amount_capturable, intent.amount_received) == (5000, 0)
    assert (charge_of(intent).paid, charge_of(intent).captured) == (True, False)


async def test_currencies_are_shown_in_lower_case(shop: Shop) -> None:
    assert (await shop.intent(currency="EUR")).currency == "eur"


async def test_automatic_capture_moves_the_money_at_once(shop: Shop) -> None:
    intent = await shop.captured(amount=5000)
    assert (intent.status, intent.amount_received) == ("succeeded", 5000)


async def test_a_capture_takes_all_that_is_held_unless_told_otherwise(
    shop: Shop,
) -> None:
    intent = await shop.capture(await shop.intent(amount=5000))
    assert (intent.status, intent.amount_received) == ("succeeded", 5000)


async def test_a_part_capture_releases_the_rest(shop: Shop) -> None:
    intent = await shop.capture(await shop.intent(amount=5000), 3000)
    assert intent.status == "succeeded"
    assert (intent.amount_received, intent.amount_capturable) == (3000, 0)
    assert charge_of(await shop.current(intent)).amount_captured == 3000


async def test_no_more_can_be_captured_than_is_held(shop: Shop) -> None:
    intent = await shop.intent(amount=5000)
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.capture(intent, 5001)
    assert refusal.value.code == "amount_too_large"
    assert (await shop.current(intent)).amount_capturable == 5000


async def test_of_twenty_captures_at_once_one_succeeds(shop: Shop) -> None:
    intent = await shop.intent(amount=5000)
    tries = await asyncio.gather(
        *(shop.capture(intent, 3000) for _ in range(20)), return_exceptions=True
    )
    refusals = [t for t in tries if isinstance(t, stripe.InvalidRequestError)]
    assert {refusal.code for refusal in refusals} == {"payment_intent_unexpected_state"}
    assert (len(refusals), (await shop.books(intent))["captured"]) == (19, 3000)


async def test_several_captures_need_a_card_that_allows_them(shop: Shop) -> None:
    intent = await shop.intent("pm_card_visa", **WANTS_SEVERAL)
    assert _multicapture(intent) == "unavailable"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.capture(intent, 1000, final_capture=False)
    assert refusal.value.param == "final_capture"


async def test_several_captures_need_to_be_requested(shop: Shop) -> None:
    intent = await shop.intent("pm_card_visa_multicapture")
    assert _multicapture(intent) == "unavailable"


async def test_with_several_captures_the_rest_stays_held_until_the_last(
    shop: Shop,
) -> None:
    intent = await shop.intent("pm_card_visa_multicapture", **WANTS_SEVERAL)
    assert _multicapture(intent) == "available"
    first = await shop.capture(intent, 3000, final_capture=False)
    assert first.status == "requires_capture"
    assert (first.amount_received, first.amount_capturable) == (3000, 2000)
    last = await shop.capture(intent, 500)
    assert (last.status, last.amount_received) == ("succeeded", 3500)
    assert last.amount_capturable == 0


async def test_of_twenty_part_captures_at_once_as_many_succeed_as_fit(
    shop: Shop,
) -> None:
    intent = await shop.intent("pm_card_visa_multicapture", **WANTS_SEVERAL)
    tries = await asyncio.gather(
        *(shop.capture(intent, 700, final_capture=False) for _ in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(t, stripe.PaymentIntent) for t in tries) == 7
    assert (await shop.books(intent))["captured"] == 4900


async def test_a_final_capture_of_nothing_releases_the_rest(shop: Shop) -> None:
    intent = await shop.intent("pm_card_visa_multicapture", **WANTS_SEVERAL)
    await shop.capture(intent, 3000, final_capture=False)
    released = await shop.capture(intent, 0, final_capture=True)
    assert (released.status, released.amount_received) == ("succeeded", 3000)


async def test_a_canceled_intent_holds_nothing(shop: Shop) -> None:
    intent = await shop.intent()
    canceled = await shop.api.v1.payment_intents.cancel_async(
        intent.id, {"cancellation_reason": "requested_by_customer"}
    )
    assert (canceled.status, canceled.amount_capturable) == ("canceled", 0)
    assert canceled.cancellation_reason == "requested_by_customer"
    assert canceled.canceled_at


@pytest.mark.parametrize("action", ["cancel", "capture", "confirm"])
async def test_what_is_paid_can_neither_be_canceled_nor_paid_again(
    shop: Shop, action: str
) -> None:
    intent = await shop.captured()
    response = await shop.http.post(f"/v1/payment_intents/{intent.id}/{action}")
    error = response.json()["error"]
    assert response.status_code == 400
    assert error["code"] == "payment_intent_unexpected_state"
    assert error["payment_intent"]["status"] == "succeeded"


async def test_an_intent_may_be_confirmed_later(shop: Shop) -> None:
    intent = await shop.intent(method=None)
    assert intent.status == "requires_payment_method"
    confirmed = await shop.api.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa"}
    )
    assert confirmed.status == "requires_capture"


async def test_redirecting_methods_need_a_return_url(shop: Shop) -> None:
    response = await shop.http.post(
        "/v1/payment_intents",
        data={
            "amount": "5000",
            "currency": "eur",
            "confirm": "true",
            "payment_method": "pm_card_visa",
        },
    )
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "return_url"


async def test_metadata_is_kept_changed_and_unset(shop: Shop) -> None:
    intent = await shop.intent(metadata={"order": "ord_1", "shipment": "shp_1"})
    changed = await shop.api.v1.payment_intents.update_async(
        intent.id, {"metadata": {"shipment": "", "note": "late"}}
    )
    assert metadata_of(changed) == {"order": "ord_1", "note": "late"}


async def test_metadata_keeps_names_that_are_numbers(shop: Shop) -> None:
    for metadata in ({"7": "seven"}, {"0": "nought", "1": "one"}):
        assert metadata_of(await shop.intent(metadata=metadata)) == metadata


@pytest.mark.parametrize("limit", ["0", "-1", "101"])
async def test_a_page_has_from_one_to_a_hundred_entries(shop: Shop, limit: str) -> None:
    answer = await shop.http.get("/v1/payment_intents", params={"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "limit"


async def test_the_list_pages_through_the_intents_newest_first(shop: Shop) -> None:
    customer = (await shop.api.v1.customers.create_async()).id
    made = [(await shop.intent(customer=customer)).id for _ in range(5)]
    pages = await shop.api.v1.payment_intents.list_async(
        {"customer": customer, "limit": 2}
    )
    assert pages.has_more
    assert [i.id async for i in pages.auto_paging_iter()] == made[::-1]


async def test_the_list_can_be_read_from_a_moment_on(shop: Shop) -> None:
    before = await shop.intent()
    await shop.advance(10)
    after = await shop.intent()
    found = await shop.api.v1.payment_intents.list_async(
        {"created": {"gt": before.created, "lte": after.created}}
    )
    assert [i.id for i in found.data] == [after.id]


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"currency": "eur"}, "parameter_missing", "amount"),
        ({"amount": "0", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ({"amount": "٥", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ({"amount": "5", "currency": "euro"}, None, "currency"),
        ({"amount": "5", "currency": "eur", "ammount": "6"}, "parameter_unknown", None),
        ({"amount": "5", "currency": "eur", "off_session": "true"}, None, None),
        (
            {"amount": "5", "currency": "eur", "customer": "cus_0"},
            *("resource_missing", "customer"),
        ),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_by_name(
    shop: Shop, fields: dict[str, str], code: str | None, param: str | None
) -> None:
    response = await shop.http.post("/v1/payment_intents", data=fields)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error.get("code") == code
    assert param is None or error["param"] == param


async def test_what_an_id_stands_for_is_shown_when_asked_for(shop: Shop) -> None:
    await shop.intent()
    listed = await shop.api.v1.payment_intents.list_async(
        {"limit": 1, "expand": ["data.latest_charge", "data.payment_method"]}
    )
    assert charge_of(listed.data[0]).object == "charge"
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.api.v1.payment_intents.list_async({"expand": ["data.amount"]})
    assert refusal.value.param == "expand"


async def test_what_does_not_exist_is_not_found(shop: Shop) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.api.v1.payment_intents.retrieve_async("pi_nowhere")
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    assert (await shop.http.get("/v1/nothing")).status_code == 404


@pytest.mark.parametrize("key", ["", "Bearer x", "Bearer sk_live_123", "Basic ?"])
async def test_only_test_keys_are_let_in(shop: Shop, key: str) -> None:
    response = await shop.control.get("/v1/events", headers={"Authorization": key})
    assert response.status_code == 401


async def test_every_answer_names_its_request(shop: Shop) -> None:
    response = await shop.http.get("/v1/events")
    assert response.headers["Request-Id"].startswith("req_")


def _multicapture(intent: stripe.PaymentIntent) -> str:
    details = charge_of(intent).payment_method_details
    return str(details.card.multicapture.status)
