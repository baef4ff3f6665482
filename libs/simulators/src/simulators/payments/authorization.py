"""Confirming an intent: the card is asked for the money, and may say no."""

from dataclasses import dataclass

from simulators.payments.answers import Answer, Json, invalid
from simulators.payments.cards import Card
from simulators.payments.charges import new_charge
from simulators.payments.declines import decline_error
from simulators.payments.disputes import dispute_if_asked
from simulators.payments.methods import (
    card_of,
    keep_or_use_up,
    usable_method,
)
from simulators.payments.objects import public
from simulators.payments.params import Params
from simulators.payments.provider import Provider

ATTEMPT_PARAMETERS = (
    "error_on_requires_action",
    "off_session",
    "payment_method",
    "payment_method_options",
    "return_url",
    "setup_future_usage",
)
FUTURE_USAGES = ("off_session", "on_session")


@dataclass(frozen=True)
class Attempt:
    """One try to authorise.

    off_session: the customer is not there to authenticate.
    never_ask: fail instead of asking the customer to authenticate.
    """

    method: Json
    off_session: bool
    never_ask: bool
    return_url: str | None


def attempt_from(provider: Provider, params: Params, intent: Json) -> Attempt:
    """What the request wants, noted on the intent where it lasts."""
    name = params.text("payment_method") or intent["payment_method"]
    if name is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it has no payment method.",
            code="payment_intent_unexpected_state",
        )
    usage = params.choice("setup_future_usage", FUTURE_USAGES)
    intent["setup_future_usage"] = usage or intent["setup_future_usage"]
    intent["payment_method_options"] |= params.nested("payment_method_options")
    attempt = Attempt(
        method=usable_method(provider, name, intent["customer"]),
        off_session=params.boolean("off_session"),
        never_ask=params.boolean("error_on_requires_action"),
        return_url=params.text("return_url"),
    )
    _require_return_url(intent, attempt)
    intent["payment_method"] = attempt.method["id"]
    return attempt


def authorize(provider: Provider, intent: Json, attempt: Attempt) -> Answer:
    """200 with the intent authorised, paid or awaiting the customer; 402 declined."""
    card = card_of(attempt.method)
    if _asks_for_authentication(card, attempt.method):
        if attempt.off_session or attempt.never_ask:
            return declined(provider, intent, attempt.method, "authentication_required")
        return Answer(200, _ask_customer(provider, intent, attempt.return_url))
    decline = (
        card.off_session_decline if attempt.off_session else None
    ) or card.decline
    if decline:
        return declined(provider, intent, attempt.method, decline)
    return Answer(200, approved(provider, intent, attempt.method))


def approved(
    provider: Provider, intent: Json, method: Json, authenticated: bool = False
) -> Json:
    """The money is set aside; with automatic capture it moves at once."""
    charge = new_charge(provider, intent, method, authenticated)
    intent.update(latest_charge=charge["id"], next_action=None, last_payment_error=None)
    provider.emit("charge.succeeded", charge)
    if intent["capture_method"] == "manual":
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        details = charge["payment_method_details"]["card"]
        provider.agenda.add(details["capture_before"], "expire", intent["id"])
        provider.emit("payment_intent.amount_capturable_updated", intent)
    else:
        intent.update(status="succeeded", amount_received=intent["amount"])
        provider.emit("payment_intent.succeeded", intent)
        dispute_if_asked(provider, charge)
    keep_or_use_up(provider, method, intent)
    return provider.objects.save(intent)


def declined(
    provider: Provider, intent: Json, method: Json, decline_code: str
) -> Answer:
    """The intent waits for another payment method; the refusal is what is answered."""
    charge = new_charge(provider, intent, method, decline_code=decline_code)
    error = decline_error(decline_code, charge, method)
    intent["latest_charge"] = charge["id"]
    provider.emit("charge.failed", charge)
    back_to_start(provider, intent, error)
    return Answer(402, {"error": {**error, "payment_intent": public(intent)}})


def back_to_start(provider: Provider, intent: Json, error: Json) -> None:
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        last_payment_error=error,
    )
    provider.objects.save(intent)
    provider.emit("payment_intent.payment_failed", intent)


def _require_return_url(intent: Json, attempt: Attempt) -> None:
    automatic = intent["automatic_payment_methods"]
    if attempt.return_url or not automatic or automatic["allow_redirects"] == "never":
        return
    raise invalid(
        "This PaymentIntent accepts payment methods that might redirect your customer,"
        " so you must provide a `return_url`. Or set"
        " automatic_payment_methods[allow_redirects] to never, or name the"
        " payment_method_types.",
        param="return_url",
    )


def _asks_for_authentication(card: Card, method: Json) -> bool:
    saved = method["customer"] is not None
    return card.authentication == "always" or (
        card.authentication == "unless_saved" and not saved
    )


def _ask_customer(provider: Provider, intent: Json, return_url: str | None) -> Json:
    page = f"{provider.cause.base_url}_sim/payment_intents/{intent['id']}/authenticate"
    if return_url:
        action = {"url": page, "return_url": return_url}
        next_action = {"type": "redirect_to_url", "redirect_to_url": action}
    else:
        action = {"type": "three_d_secure_redirect", "stripe_js": page}
        next_action = {"type": "use_stripe_sdk", "use_stripe_sdk": action}
    intent.update(status="requires_action", next_action=next_action)
    provider.objects.save(intent)
    provider.emit("payment_intent.requires_action", intent)
    return intent
