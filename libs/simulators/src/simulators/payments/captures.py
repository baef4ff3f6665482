"""Capturing: the money moves now."""

from simulators.payments.answers import Answer, Json, invalid, refused
from simulators.payments.currencies import check_step_of
from simulators.payments.declines import decline_error
from simulators.payments.intents import unexpected_state
from simulators.payments.methods import card_of
from simulators.payments.objects import public
from simulators.payments.params import Params
from simulators.payments.provider import Provider
from simulators.payments.release import finish_capturing


def capture(provider: Provider, params: Params, intent_id: str) -> Answer:
    """Capture once, or in parts where the card's network allows several captures.

    What a final capture leaves is released. An amount of 0 only releases the rest.
    """
    params.only("amount_to_capture", "final_capture", "metadata")
    final = params.boolean("final_capture", default=True)
    intent = provider.objects.get("payment_intent", intent_id)
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "capture", ("requires_capture",))
    charge = provider.objects.get("charge", intent["latest_charge"])
    if not final and not _several_allowed(charge):
        raise refused(
            "`final_capture` cannot be false: multicapture is not available for this"
            " PaymentIntent.",
            param="final_capture",
        )
    amount = _amount(params, intent, final)
    method = provider.objects.get("payment_method", intent["payment_method"])
    if not card_of(method).captures:
        return _failed(intent, charge, method)
    intent["metadata"] = params.metadata(intent["metadata"])
    return Answer(200, _move(provider, intent, charge, amount, final))


def _several_allowed(charge: Json) -> bool:
    card = charge["payment_method_details"]["card"]
    return bool(card["multicapture"]["status"] == "available")


def _amount(params: Params, intent: Json, final: bool) -> int:
    capturable: int = intent["amount_capturable"]
    amount = params.integer("amount_to_capture")
    if amount is None:
        return capturable
    releasing = amount == 0 and final and intent["amount_received"] > 0
    if amount < 1 and not releasing:
        raise invalid(
            "The amount to capture must be at least 1.",
            *("amount_to_capture", "parameter_invalid_integer"),
        )
    check_step_of(intent, amount, "amount_to_capture")
    if amount > capturable:
        raise refused(
            f"The amount to capture ({amount}) is greater than the amount that can be"
            f" captured ({capturable}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return amount


def _failed(intent: Json, charge: Json, method: Json) -> Answer:
    # The authorisation stays: it can be tried again, or canceled.
    error = decline_error("generic_decline", charge, method)
    return Answer(402, {"error": {**error, "payment_intent": public(intent)}})


def _move(
    provider: Provider, intent: Json, charge: Json, amount: int, final: bool
) -> Json:
    intent["amount_received"] += amount
    intent["amount_capturable"] = 0 if final else intent["amount_capturable"] - amount
    intent["_captures"].append(
        {
            "amount": amount,
            "created": provider.now(),
            "idempotency_key": provider.cause.idempotency_key,
        }
    )
    charge["amount_captured"] += amount
    provider.objects.save(intent)
    provider.objects.save(charge)
    provider.emit("charge.updated", charge)
    provider.emit("payment_intent.amount_capturable_updated", intent)
    if intent["amount_capturable"] == 0:
        finish_capturing(provider, intent)
    return intent
