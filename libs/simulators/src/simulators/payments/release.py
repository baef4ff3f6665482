"""Letting go of what is authorised and not captured."""

from simulators.payments.answers import Json
from simulators.payments.disputes import dispute_if_asked
from simulators.payments.provider import Provider

CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)


def release(provider: Provider, intent: Json, reason: str | None) -> Json:
    """End the intent: canceled, or succeeded where a part had been captured."""
    intent.update(amount_capturable=0, next_action=None)
    if intent["amount_received"] > 0:
        return finish_capturing(provider, intent)
    intent.update(
        status="canceled", canceled_at=provider.now(), cancellation_reason=reason
    )
    provider.objects.save(intent)
    provider.emit("payment_intent.canceled", intent)
    return intent


def finish_capturing(provider: Provider, intent: Json) -> Json:
    """The final capture is made: what was not captured goes back to the customer."""
    intent.update(status="succeeded", amount_capturable=0)
    provider.objects.save(intent)
    charge = provider.objects.get("charge", intent["latest_charge"])
    charge.update(
        captured=True, refunded=charge["amount_refunded"] == charge["amount_captured"]
    )
    provider.objects.save(charge)
    provider.emit("charge.captured", charge)
    provider.emit("payment_intent.succeeded", intent)
    dispute_if_asked(provider, charge)
    return intent


def expire(provider: Provider, intent_id: str) -> None:
    """The authorisation's time is over, unless it was used or released before."""
    intent = provider.objects.get("payment_intent", intent_id)
    if intent["status"] != "requires_capture":
        return
    untouched = intent["amount_received"] == 0
    release(provider, intent, reason="expired")
    if untouched:
        charge = provider.objects.get("charge", intent["latest_charge"])
        provider.emit("charge.expired", charge)
