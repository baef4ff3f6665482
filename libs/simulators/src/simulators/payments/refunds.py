"""Refunds: never more than was captured, however many are asked for at once."""

from simulators.payments.answers import Answer, Json, invalid, refused
from simulators.payments.currencies import check_step_of
from simulators.payments.disputes import refuse_refund_of_disputed
from simulators.payments.methods import card_of
from simulators.payments.objects import new_id
from simulators.payments.params import Params
from simulators.payments.provider import Provider

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(provider: Provider, params: Params) -> Answer:
    params.only("payment_intent", "charge", "amount", "reason", "metadata")
    reason = params.choice("reason", REASONS)
    metadata = params.metadata()
    wanted = params.amount("amount")
    charge = _charge(provider, params)
    refuse_refund_of_disputed(provider, charge)
    check_step_of(charge, wanted)
    amount = _amount(charge, wanted)
    method = provider.objects.get("payment_method", charge["payment_method"])
    settling = card_of(method).refunds
    refund = _new_refund(provider, charge, amount)
    refund.update(
        metadata=metadata,
        reason=reason,
        status="pending" if settling == "pending" else "succeeded",
        pending_reason="processing" if settling == "pending" else None,
    )
    provider.objects.add(refund)
    _move(provider, charge, amount)
    provider.emit("refund.created", refund)
    provider.emit("charge.refunded", charge)
    if settling != "at_once":
        due = provider.clock.now() + provider.terms.refund_seconds
        provider.agenda.add(due, f"refund_{settling}", refund["id"])
    return Answer(200, refund)


def retrieve(provider: Provider, params: Params, refund_id: str) -> Answer:
    params.only()
    return Answer(200, provider.objects.get("refund", refund_id))


def update(provider: Provider, params: Params, refund_id: str) -> Answer:
    params.only("metadata")
    refund = provider.objects.get("refund", refund_id)
    refund["metadata"] = params.metadata(refund["metadata"])
    provider.objects.save(refund)
    provider.emit("refund.updated", refund)
    return Answer(200, refund)


def list_all(provider: Provider, params: Params) -> Answer:
    filters = ("payment_intent", "charge")
    params.only(*filters, "created", "limit", "starting_after", "ending_before")
    return Answer(200, provider.objects.page("refund", "/v1/refunds", params, *filters))


def succeed(provider: Provider, refund_id: str) -> None:
    """A pending refund has reached the customer."""
    refund = provider.objects.get("refund", refund_id)
    refund.update(status="succeeded", pending_reason=None)
    provider.objects.save(refund)
    _announce_change(provider, refund)


def fail(provider: Provider, refund_id: str) -> None:
    """The bank sent the money back: it can be refunded again."""
    refund = provider.objects.get("refund", refund_id)
    refund.update(status="failed", failure_reason="expired_or_canceled_card")
    provider.objects.save(refund)
    charge = provider.objects.get("charge", refund["charge"])
    _move(provider, charge, -refund["amount"])
    provider.emit("refund.failed", refund)
    _announce_change(provider, refund)


def _announce_change(provider: Provider, refund: Json) -> None:
    provider.emit("refund.updated", refund)
    provider.emit("charge.refund.updated", refund)


def _charge(provider: Provider, params: Params) -> Json:
    charge_id = params.text("charge")
    intent_id = params.text("payment_intent")
    if charge_id is None and intent_id is None:
        raise invalid(
            "One of the following params should be provided for this request:"
            " payment_intent or charge.",
        )
    if charge_id is None and intent_id is not None:
        intent = provider.objects.get("payment_intent", intent_id, "payment_intent")
        charge_id = intent["latest_charge"]
    charge = charge_id and provider.objects.get("charge", charge_id, "charge")
    if not charge or charge["amount_captured"] == 0:
        raise refused("There is no successful charge to refund.")
    return charge


def _amount(charge: Json, wanted: int | None) -> int:
    left: int = charge["amount_captured"] - charge["amount_refunded"]
    if left == 0:
        raise refused(
            f"Charge {charge['id']} has already been refunded.",
            code="charge_already_refunded",
        )
    if wanted is not None and wanted > left:
        raise refused(
            f"Refund amount ({wanted}) is greater than unrefunded amount on charge"
            f" ({left})",
            param="amount",
        )
    return wanted or left


def _move(provider: Provider, charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    everything = charge["amount_refunded"] == charge["amount_captured"]
    charge["refunded"] = charge["captured"] and everything
    provider.objects.save(charge)


def _new_refund(provider: Provider, charge: Json, amount: int) -> Json:
    return {
        "id": new_id("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": provider.now(),
        "currency": charge["currency"],
        "failure_reason": None,
        "payment_intent": charge["payment_intent"],
        "receipt_number": None,
    }
