"""The holds of an order, of its parcels, returns and refunds: one row for a reason."""

from datetime import timedelta
from enum import StrEnum

from shared.contracts.holds import HoldRule


class HoldReason(StrEnum):
    """Why an order may wait for a person."""

    APPROVAL = "approval"
    STOCK = "stock"
    PAYMENT = "payment"
    ADDRESS = "address"
    DELIVERY = "delivery"
    REFUND = "refund"
    MANUAL = "manual"
    DISPUTE = "dispute"
    """The customer disputes a payment at their bank."""
    DIFFERENCE = "difference"
    """The provider's amounts of a payment differ from ours."""
    PROVIDER = "provider"
    """The payment provider or the carrier refuses what has to be done, or does not
    answer."""


class Decision(StrEnum):
    """Decisions about holds; `HOLDS` says which fit a reason."""

    APPROVE = "approve"
    REJECT = "reject"
    WAIT = "wait"
    SHIP_PARTIAL = "ship_partial"
    CANCEL_LINES = "cancel_lines"
    RETRY = "retry"
    NEW_METHOD = "new_method"
    CANCEL = "cancel"
    CORRECT = "correct"
    OVERRIDE = "override"
    RESHIP = "reship"
    DELIVERED = "delivered"
    REFUND = "refund"
    PAID_OTHERWISE = "paid_otherwise"
    BOOK = "book"
    RELEASE = "release"
    SETTLED = "settled"
    """Set by the system: the cause of the hold went away."""


TOO_MANY_ATTEMPTS = "too-many-attempts"
"""The cause of a payment hold that only the shop can end: cards may be being tested."""


class SubjectKind(StrEnum):
    """The kinds of subjects; an id says its own by its prefix."""

    ORDER = "ord"
    SHIPMENT = "shp"
    RETURN = "ret"
    REFUND = "ref"


def kind_of(subject_id: str) -> SubjectKind:
    """Raises `ValueError` for an id of something else."""
    return SubjectKind(subject_id.partition("_")[0])


HOLDS: dict[HoldReason, HoldRule] = {
    HoldReason.APPROVAL: HoldRule(
        "the total is above the limit, a new customer orders for much, the goods go to"
        " another country than the bill (without one: than at first), many orders"
        " within an hour; again when the contact changes afterwards; a costly return,"
        " or one of many",
        decisions=(Decision.APPROVE, Decision.REJECT),
        decider="approvals",
        due=timedelta(hours=72),
        silence=Decision.REJECT,
        also="or a day before the authorisation ends if that is earlier",
    ),
    HoldReason.STOCK: HoldRule(
        "not everything could be reserved, or the warehouse found less",
        decisions=(Decision.WAIT, Decision.SHIP_PARTIAL, Decision.CANCEL_LINES),
        decider="orders:operate",
        due=timedelta(days=7),
        silence=Decision.CANCEL_LINES,
        customer_may=True,
    ),
    HoldReason.PAYMENT: HoldRule(
        "a card is declined, too many attempts failed, the bank asks the customer"
        " back, a renewal or a capture fails",
        decisions=(Decision.RETRY, Decision.NEW_METHOD, Decision.CANCEL),
        decider="orders:operate",
        due=timedelta(hours=72),
        silence=Decision.CANCEL,
        customer_may=True,
    ),
    HoldReason.ADDRESS: HoldRule(
        "the address cannot be right, or the carrier refuses it",
        decisions=(Decision.CORRECT, Decision.OVERRIDE, Decision.CANCEL),
        decider="orders:operate",
        due=timedelta(days=7),
        silence=Decision.CANCEL,
        customer_may=True,
    ),
    HoldReason.DELIVERY: HoldRule(
        "an attempt failed, no scan for too long, lost, back to the sender,"
        " a cancelled parcel that left",
        decisions=(
            *(Decision.RESHIP, Decision.REFUND),
            *(Decision.WAIT, Decision.DELIVERED),
        ),
        decider="orders:operate",
        due=timedelta(days=2),
    ),
    HoldReason.REFUND: HoldRule(
        "it is above what one clerk may give back, or the provider refuses it or fails",
        decisions=(
            *(Decision.APPROVE, Decision.REJECT, Decision.RETRY),
            *(Decision.PAID_OTHERWISE, Decision.BOOK),
        ),
        decider="refunds:any",
        due=timedelta(days=2),
    ),
    HoldReason.MANUAL: HoldRule(
        "an operator stops the order",
        decisions=(Decision.RELEASE, Decision.CANCEL),
        decider="orders:operate",
        also="as the operator sets, or never",
    ),
    HoldReason.DISPUTE: HoldRule(
        "the customer disputes a payment at their bank, or the bank inquires",
        decisions=(Decision.RELEASE, Decision.CANCEL),
        decider="refunds:any",
        also="when the evidence is due",
    ),
    HoldReason.DIFFERENCE: HoldRule(
        "the provider has captured, holds or has given back another amount than our"
        " books say, whoever asked for it",
        decisions=(Decision.BOOK, Decision.CANCEL),
        decider="refunds:any",
        due=timedelta(days=2),
    ),
    HoldReason.PROVIDER: HoldRule(
        "the payment provider or the carrier refuses what has to be done, answers what"
        " no table of ours knows, or has not answered for 15 minutes",
        decisions=(Decision.RETRY, Decision.CANCEL),
        decider="orders:operate",
        due=timedelta(hours=4),
    ),
}


def silence_of(reason: HoldReason, subject: str) -> Decision | None:
    """The decision that is taken when nobody decides; `None` escalates. A return
    escalates: nobody loses the right to send goods back because the shop was slow."""
    silence = HOLDS[reason].silence
    if silence is None or kind_of(subject) is SubjectKind.RETURN:
        return None
    return Decision(silence)


def due_of(reason: HoldReason) -> timedelta:
    """How long a person has to decide. Raises `LookupError` for reasons whose deadline
    the operator sets."""
    due = HOLDS[reason].due
    if due is None:
        raise LookupError(f"a hold for {reason} has no due time of its own")
    return due
