"""The provider's side of the money, for whoever compares it with a ledger."""

from simulators.payments.answers import Json
from simulators.payments.objects import Objects

KEPT = ("pending", "succeeded")


def books(objects: Objects) -> list[Json]:
    """One entry for each PaymentIntent, oldest first; amounts in minor units.

    authorized: what the card holds or held for us, 0 if it was never approved.
    refunded: what went back or is on its way; failed refunds do not count.
    """
    charges = {charge["id"]: charge for charge in objects.all("charge")}
    refunds: dict[str, list[Json]] = {}
    for refund in objects.all("refund"):
        refunds.setdefault(refund["payment_intent"], []).append(refund)
    return [
        _entry(objects, intent, charges.get(intent["latest_charge"]), refunds)
        for intent in objects.all("payment_intent")
    ]


def _entry(
    objects: Objects,
    intent: Json,
    charge: Json | None,
    refunds: dict[str, list[Json]],
) -> Json:
    approved = charge is not None and charge["paid"]
    of_intent = refunds.get(intent["id"], [])
    return {
        "payment_intent": intent["id"],
        "status": intent["status"],
        "currency": intent["currency"],
        "authorized": intent["amount"] if approved else 0,
        "capturable": intent["amount_capturable"],
        "captured": intent["amount_received"],
        "refunded": sum(r["amount"] for r in of_intent if r["status"] in KEPT),
        "metadata": intent["metadata"],
        "captures": intent["_captures"],
        "disputes": [
            {name: dispute[name] for name in ("id", "amount", "status")}
            for dispute in objects.of_intent("dispute", intent["id"])
        ],
        "refunds": [
            {name: refund[name] for name in ("id", "amount", "status", "metadata")}
            for refund in of_intent
        ],
    }
