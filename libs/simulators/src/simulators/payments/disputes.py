"""Disputes: the customer asks their bank for the money, and Stripe takes it from us
until the bank has decided. docs.stripe.com/disputes/how-disputes-work"""

from typing import Literal

from simulators.payments.answers import Answer, Json, invalid, refused
from simulators.payments.methods import card_of
from simulators.payments.objects import new_id
from simulators.payments.params import Params
from simulators.payments.provider import Provider

EVIDENCE_SECONDS = 7 * 24 * 3600
"""How long there is to answer; networks differ."""
ENDED = ("won", "lost", "warning_closed")

Outcome = Literal["won", "lost"]


def open_dispute(
    provider: Provider,
    charge: Json,
    *,
    reason: str = "fraudulent",
    amount: int | None = None,
    inquiry: bool = False,
) -> Json:
    """The bank takes the money at once; an inquiry only asks."""
    if charge["disputed"]:
        raise refused(f"Charge {charge['id']} is disputed already.")
    wanted = amount or charge["amount_captured"] - charge["amount_refunded"]
    dispute = provider.objects.add(
        {
            "id": new_id("dispute"),
            "object": "dispute",
            "amount": wanted,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": provider.now(),
            "currency": charge["currency"],
            "evidence": {},
            "evidence_details": {
                "due_by": provider.now() + EVIDENCE_SECONDS,
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": inquiry,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "reason": reason,
            "status": "warning_needs_response" if inquiry else "needs_response",
        }
    )
    provider.objects.save(charge | {"disputed": True})
    provider.emit("charge.dispute.created", dispute)
    if not inquiry:
        provider.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def dispute_if_asked(provider: Provider, charge: Json) -> None:
    """Of a card that stands for a customer who disputes whatever was captured."""
    method = provider.objects.get("payment_method", charge["payment_method"])
    wanted = card_of(method).dispute
    if wanted is not None:
        inquiry = wanted == "inquiry"
        reason = "general" if inquiry else wanted
        open_dispute(provider, charge, reason=reason, inquiry=inquiry)


def end(provider: Provider, dispute: Json, outcome: Outcome) -> Json:
    """The bank has decided. An inquiry that we win is closed."""
    if dispute["status"] in ENDED:
        raise refused(f"This dispute is already closed: {dispute['status']}.")
    inquiry = dispute["status"].startswith("warning")
    closed = "warning_closed" if inquiry and outcome == "won" else outcome
    dispute.update(status=closed, is_charge_refundable=closed != "lost")
    provider.objects.save(dispute)
    if closed != "lost":
        charge = provider.objects.get("charge", dispute["charge"])
        provider.objects.save(charge | {"disputed": False})
    provider.emit("charge.dispute.closed", dispute)
    if closed == "won":
        provider.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def refuse_refund_of_disputed(provider: Provider, charge: Json) -> None:
    """Raises StripeError while the bank has the money, or has it for good."""
    for dispute in provider.objects.of_intent("dispute", charge["payment_intent"]):
        if not dispute["is_charge_refundable"]:
            raise refused(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
            )


def retrieve(provider: Provider, params: Params, dispute_id: str) -> Answer:
    params.only()
    return Answer(200, provider.objects.get("dispute", dispute_id))


def list_all(provider: Provider, params: Params) -> Answer:
    filters = ("payment_intent", "charge")
    params.only(*filters, "created", "limit", "starting_after", "ending_before")
    page = provider.objects.page("dispute", "/v1/disputes", params, *filters)
    return Answer(200, page)


def update(provider: Provider, params: Params, dispute_id: str) -> Answer:
    """Evidence is kept, and sent to the bank with `submit`."""
    params.only("evidence", "submit", "metadata")
    dispute = provider.objects.get("dispute", dispute_id)
    if dispute["status"] in ENDED:
        raise invalid("This dispute is closed.", "evidence")
    dispute["evidence"] |= params.nested("evidence")
    dispute["metadata"] = params.metadata(dispute["metadata"])
    dispute["evidence_details"]["has_evidence"] = bool(dispute["evidence"])
    if params.boolean("submit", default=True):
        dispute["status"] = dispute["status"].replace("needs_response", "under_review")
        dispute["evidence_details"]["submission_count"] += 1
    provider.objects.save(dispute)
    provider.emit("charge.dispute.updated", dispute)
    return Answer(200, _decided_at_once(provider, dispute))


def _decided_at_once(provider: Provider, dispute: Json) -> Json:
    """By the words of Stripe's sandbox."""
    match dispute["evidence"].get("uncategorized_text"):
        case "winning_evidence":
            return end(provider, dispute, "won")
        case "losing_evidence":
            return end(provider, dispute, "lost")
    return dispute


def close(provider: Provider, params: Params, dispute_id: str) -> Answer:
    """Give it up: the money is lost."""
    params.only()
    return Answer(
        200, end(provider, provider.objects.get("dispute", dispute_id), "lost")
    )
