"""PaymentIntents: their fields, and what changes them without moving money."""

import secrets

from simulators.payments.answers import Answer, Json, invalid, refused
from simulators.payments.authorization import (
    ATTEMPT_PARAMETERS,
    FUTURE_USAGES,
    attempt_from,
    authorize,
)
from simulators.payments.currencies import check_charge
from simulators.payments.methods import usable_method
from simulators.payments.objects import new_id, public
from simulators.payments.params import Params
from simulators.payments.provider import Provider
from simulators.payments.release import CANCELABLE, release

CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELLATION_REASONS = (
    "duplicate",
    "fraudulent",
    "requested_by_customer",
    "abandoned",
)
# Fields that say how to confirm, and are refused on a request that does not confirm.
ONLY_WITH_CONFIRM = ("off_session", "return_url", "error_on_requires_action")


def create(provider: Provider, params: Params) -> Answer:
    params.only(
        *ATTEMPT_PARAMETERS,
        *("amount", "automatic_payment_methods", "capture_method", "confirm"),
        *("confirmation_method", "currency", "customer", "description", "metadata"),
        *("payment_method_types", "receipt_email", "shipping"),
        *("statement_descriptor_suffix",),
    )
    confirm = params.boolean("confirm")
    if not confirm:
        _refuse_confirmation_parameters(params)
    intent = _new_intent(provider, params)
    provider.objects.add(intent)
    provider.emit("payment_intent.created", intent)
    if confirm:
        return authorize(provider, intent, attempt_from(provider, params, intent))
    if name := params.text("payment_method"):
        _choose_method(provider, intent, name)
    return Answer(200, provider.objects.save(intent))


def confirm(provider: Provider, params: Params, intent_id: str) -> Answer:
    params.only(*ATTEMPT_PARAMETERS, "receipt_email", "shipping", "capture_method")
    intent = provider.objects.get("payment_intent", intent_id)
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(intent, "confirm", CONFIRMABLE)
    if chosen := params.choice("capture_method", CAPTURE_METHODS):
        intent["capture_method"] = chosen
    return authorize(provider, intent, attempt_from(provider, params, intent))


def update(provider: Provider, params: Params, intent_id: str) -> Answer:
    params.only("metadata", "description", "payment_method")
    intent = provider.objects.get("payment_intent", intent_id)
    intent["metadata"] = params.metadata(intent["metadata"])
    intent["description"] = params.text("description") or intent["description"]
    if name := params.text("payment_method"):
        if intent["status"] not in CONFIRMABLE:
            raise unexpected_state(intent, "update", CONFIRMABLE)
        _choose_method(provider, intent, name)
    return Answer(200, provider.objects.save(intent))


def retrieve(provider: Provider, params: Params, intent_id: str) -> Answer:
    params.only("client_secret")
    return Answer(200, provider.objects.get("payment_intent", intent_id))


def list_all(provider: Provider, params: Params) -> Answer:
    params.only("customer", "created", "limit", "starting_after", "ending_before")
    page = provider.objects.page(
        "payment_intent", "/v1/payment_intents", params, "customer"
    )
    return Answer(200, page)


def cancel(provider: Provider, params: Params, intent_id: str) -> Answer:
    params.only("cancellation_reason")
    reason = params.choice("cancellation_reason", CANCELLATION_REASONS)
    intent = provider.objects.get("payment_intent", intent_id)
    if intent["status"] not in CANCELABLE:
        raise unexpected_state(intent, "cancel", CANCELABLE)
    return Answer(200, release(provider, intent, reason))


def unexpected_state(intent: Json, action: str, statuses: tuple[str, ...]) -> Exception:
    return refused(
        f"You cannot {action} this PaymentIntent because it has a status of"
        f" {intent['status']}. It must be one of: {', '.join(statuses)}.",
        code="payment_intent_unexpected_state",
        payment_intent=public(intent),
    )


def _refuse_confirmation_parameters(params: Params) -> None:
    for name in ONLY_WITH_CONFIRM:
        if params.has(name):
            raise invalid(f"`{name}` can only be used with confirm=true.", name)


def _choose_method(provider: Provider, intent: Json, name: str) -> None:
    method = usable_method(provider, name, intent["customer"])
    intent["payment_method"] = method["id"]
    intent["status"] = "requires_confirmation"


def _new_intent(provider: Provider, params: Params) -> Json:
    intent_id = new_id("payment_intent")
    customer = params.text("customer")
    if customer is not None:
        provider.objects.get("customer", customer, "customer")
    amount, currency = _charged(params)
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": _automatic_methods(params),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.choice("capture_method", CAPTURE_METHODS)
        or "automatic_async",
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(12)}",
        "confirmation_method": params.choice(
            "confirmation_method", ("automatic", "manual")
        )
        or "automatic",
        "created": provider.now(),
        "currency": currency,
        "customer": customer,
        "description": params.text("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": params.metadata(),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": params.nested("payment_method_options"),
        "payment_method_types": params.texts("payment_method_types") or ["card"],
        "processing": None,
        "receipt_email": params.text("receipt_email"),
        "review": None,
        "setup_future_usage": params.choice("setup_future_usage", FUTURE_USAGES),
        "shipping": params.nested("shipping") or None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": params.text("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        "_captures": [],
    }


def _charged(params: Params) -> tuple[int, str]:
    params.required("amount")
    amount, currency = params.amount("amount") or 0, params.currency("currency")
    check_charge(currency, amount)
    return amount, currency


def _automatic_methods(params: Params) -> Json | None:
    """On unless the request names the types of payment method itself, as at Stripe."""
    if params.has("payment_method_types"):
        return None
    wanted = Params(params.nested("automatic_payment_methods"))
    wanted.only("enabled", "allow_redirects")
    if not wanted.boolean("enabled", default=True):
        return None
    redirects = wanted.choice("allow_redirects", ("always", "never")) or "always"
    return {"enabled": True, "allow_redirects": redirects}
