"""The magic cards, and what a saved card may be used for."""

from typing import Any

import httpx2
import pytest
import stripe

from tests.simulators.shop import Shop, charge_of


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        (
            "pm_card_chargeDeclinedInsufficientFunds",
            *("card_declined", "insufficient_funds"),
        ),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ],
)
async def test_a_declined_card_leaves_an_intent_that_wants_another(
    shop: Shop, card: str, code: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await shop.intent(card)
    assert (declined.value.http_status, declined.value.code) == (402, code)
    intent = await shop.current(_intent_of(declined.value))
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error
    assert intent.last_payment_error.decline_code == decline_code
    assert charge_of(intent).status == "failed"
    assert (await shop.books(intent))["authorized"] == 0


async def test_after_a_decline_another_card_can_pay(shop: Shop) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await shop.intent("pm_card_chargeDeclined")
    intent = await shop.api.v1.payment_intents.confirm_async(
        _intent_of(declined.value).id, {"payment_method": "pm_card_visa"}
    )
    assert (intent.status, intent.last_payment_error) == ("requires_capture", None)


@pytest.mark.parametrize(
    "card", ["pm_card_authenticationRequired", "pm_card_threeDSecure2Required"]
)
async def test_a_card_may_ask_for_the_customer(shop: Shop, card: str) -> None:
    intent = await shop.intent(card, return_url="https://shop.example.com/back?a=1")
    assert intent.status == "requires_action"
    assert _redirect(intent).return_url == "https://shop.example.com/back?a=1"
    assert intent.latest_charge is None

    await shop.control.post(_authenticate(intent), json={"succeed": True})
    confirmed = await shop.current(intent)
    assert (confirmed.status, confirmed.next_action) == ("requires_capture", None)


async def test_a_customer_who_does_not_authenticate_has_not_paid(shop: Shop) -> None:
    intent = await shop.intent("pm_card_authenticationRequired")
    await shop.control.post(_authenticate(intent), json={"succeed": False})
    failed = await shop.current(intent)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"


async def test_the_banks_page_sends_the_customer_back_to_the_shop(shop: Shop) -> None:
    intent = await shop.intent(
        "pm_card_authenticationRequired", return_url="https://shop.example.com/back"
    )
    page = _redirect(intent).url
    assert "Confirm" in (await shop.control.get(page)).text
    answer = await shop.control.post(page, data={"succeed": "true"})
    back = httpx2.URL(answer.headers["Location"])
    assert (back.host, back.params["redirect_status"]) == (
        *("shop.example.com", "succeeded"),
    )
    assert back.params["payment_intent"] == intent.id


async def test_only_a_waiting_intent_can_be_authenticated(shop: Shop) -> None:
    intent = await shop.intent()
    answer = await shop.control.post(_authenticate(intent), json={"succeed": True})
    assert answer.status_code == 400
    assert (await shop.books(intent))["authorized"] == 5000


async def test_a_failed_capture_leaves_the_authorisation_to_cancel(shop: Shop) -> None:
    intent = await shop.intent("pm_card_captureFails")
    with pytest.raises(stripe.CardError) as declined:
        await shop.capture(intent)
    assert declined.value.code == "card_declined"
    assert (await shop.current(intent)).amount_capturable == 5000
    canceled = await shop.api.v1.payment_intents.cancel_async(intent.id)
    assert canceled.status == "canceled"


async def test_a_saved_card_pays_while_the_customer_is_away(shop: Shop) -> None:
    customer = (await shop.api.v1.customers.create_async({"name": "Ada"})).id
    first = await shop.intent(customer=customer, setup_future_usage="off_session")
    again = await _off_session(shop, first, customer)
    assert again.status == "requires_capture"
    assert again.payment_method == first.payment_method


async def test_a_saved_card_may_be_declined_while_the_customer_is_away(
    shop: Shop,
) -> None:
    customer = (await shop.api.v1.customers.create_async()).id
    first = await shop.intent(
        "pm_card_declineOffSession",
        customer=customer,
        setup_future_usage="off_session",
    )
    assert first.status == "requires_capture"
    with pytest.raises(stripe.CardError):
        await _off_session(shop, first, customer)


async def test_an_absent_customer_cannot_authenticate(shop: Shop) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await shop.intent("pm_card_authenticationRequired", off_session=True)
    assert declined.value.code == "authentication_required"


async def test_a_card_authenticated_when_it_was_saved_pays_off_session(
    shop: Shop,
) -> None:
    customer = (await shop.api.v1.customers.create_async()).id
    first = await shop.intent(
        "pm_card_authenticationRequiredOnSetup",
        customer=customer,
        setup_future_usage="off_session",
    )
    await shop.control.post(_authenticate(first), json={"succeed": True})
    again = await _off_session(shop, await shop.current(first), customer)
    assert again.status == "requires_capture"


async def test_a_card_that_was_not_saved_pays_once(shop: Shop) -> None:
    first = await shop.intent()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await shop.intent(str(first.payment_method))
    assert refusal.value.param == "payment_method"


async def test_a_saved_card_pays_for_its_owner_alone(shop: Shop) -> None:
    owner = (await shop.api.v1.customers.create_async()).id
    card = await shop.api.v1.payment_methods.attach_async(
        "pm_card_visa", {"customer": owner}
    )
    assert (await shop.intent(card.id, customer=owner)).status == "requires_capture"
    other = (await shop.api.v1.customers.create_async()).id
    with pytest.raises(stripe.InvalidRequestError):
        await shop.intent(card.id, customer=other)
    with pytest.raises(stripe.InvalidRequestError):
        await shop.api.v1.payment_methods.attach_async(card.id, {"customer": other})


async def test_a_customers_saved_cards_are_listed(shop: Shop) -> None:
    owner = (await shop.api.v1.customers.create_async()).id
    card = await shop.api.v1.payment_methods.attach_async(
        "pm_card_visa", {"customer": owner}
    )
    listed = await shop.api.v1.payment_methods.list_async({"customer": owner})
    assert [method.id for method in listed.data] == [card.id]


async def _off_session(
    shop: Shop, first: stripe.PaymentIntent, customer: str
) -> stripe.PaymentIntent:
    return await shop.intent(
        str(first.payment_method), customer=customer, off_session=True
    )


def _intent_of(error: stripe.CardError) -> stripe.PaymentIntent:
    assert error.error
    assert error.error.payment_intent
    return error.error.payment_intent


def _redirect(intent: stripe.PaymentIntent) -> Any:
    assert intent.next_action
    return intent.next_action.redirect_to_url


def _authenticate(intent: stripe.PaymentIntent) -> str:
    return f"/_sim/payment_intents/{intent.id}/authenticate"
