"""The pages' names for things, and the consequences of decisions.

Consequences are those of docs/domain.md; the API carries them out.
"""

from typing import NamedTuple


class Reason(NamedTuple):
    title: str
    why: str


REASONS = {
    "approval": Reason("Approval", "Somebody has to look before it goes on."),
    "stock": Reason("Missing stock", "Not everything could be reserved."),
    "payment": Reason("Payment", "The customer's payment does not go through."),
    "address": Reason("Address", "The address cannot be right."),
    "delivery": Reason("Delivery", "Something happened to the parcel on its way."),
    "refund": Reason("Refund", "A refund needs a second person, or failed."),
    "manual": Reason("Stopped", "A colleague stopped this order."),
    "dispute": Reason("Dispute", "The customer disputes the payment at their bank."),
    "difference": Reason("Difference", "The provider has other sums than our books."),
    "provider": Reason("Provider", "A provider refuses, or does not answer."),
}

CAUSES = {
    "no-scan": "No carrier has scanned the parcel for too long.",
    "attempt-failed": "The carrier could not deliver it.",
    "back-to-sender": "The parcel is on its way back to us.",
    "lost": "The parcel counts as lost.",
    "found": "A parcel that counted as lost was found.",
    "scan-after-cancel": "A cancelled parcel left the warehouse all the same.",
    "label-not-voided": "The carrier did not take a label back.",
    "too-many-attempts": "Too many payment attempts failed: cards may be tried out.",
    "authentication-required": "The bank asks the customer to confirm the payment.",
    "generic_decline": "The card was declined.",
    "check-failed": "Nobody could deliver to this address.",
    "capture-failed": "The money could not be taken when the parcel was packed.",
    "amount-not-chargeable": "The provider does not take this amount.",
    "over-limit": "It is above what one person may give back.",
    "money-differs": "The provider's sums differ from ours.",
    "card_declined": "The card was declined.",
    "insufficient_funds": "The card has not enough money on it.",
    "expired_card": "The card has expired.",
}

FINDINGS = {
    "total-over-limit": "The total is above the limit.",
    "new-customer-high-value": "A new customer orders for much.",
    "ships-abroad-of-billing": "The goods go to another country than the bill.",
    "many-orders": "Many orders within an hour.",
    "value-over-limit": "What comes back is worth much.",
    "many-returns": "This customer has sent many orders back.",
}


class Choice(NamedTuple):
    title: str
    consequence: str
    tone: str = ""
    """`danger` for what cannot be taken back."""


_CANCEL = Choice(
    "Cancel the order",
    "What has not shipped is cancelled, its stock is free again, and whatever was paid"
    " for it goes back to the customer.",
    "danger",
)
_RETRY = Choice("Try again", "The same step is tried once more, right now.")

CHOICES: dict[tuple[str, str], Choice] = {
    ("approval", "approve"): Choice(
        "Approve", "The order goes on: it is confirmed and the warehouse gets it."
    ),
    ("approval", "reject"): Choice(
        "Reject",
        "The order is cancelled, its stock is free again, and the authorised money is"
        " let go.",
        "danger",
    ),
    ("stock", "wait"): Choice(
        "Wait for stock",
        "The order keeps its place: the next receipt serves the oldest order first.",
    ),
    ("stock", "ship_partial"): Choice(
        "Ship what is there",
        "What is reserved is packed now; the rest follows once it has arrived.",
    ),
    ("stock", "cancel_lines"): Choice(
        "Cancel what is missing",
        "The missing units are cancelled and not charged; the rest is packed now.",
        "danger",
    ),
    ("payment", "retry"): Choice(
        "Try the card again", "The same payment method is asked once more, right now."
    ),
    ("payment", "new_method"): Choice(
        "Take the other card",
        "The order goes on with the payment method that was given since. Until there is"
        " one, it waits: a mail has asked the customer for it.",
    ),
    ("payment", "cancel"): _CANCEL,
    ("address", "correct"): Choice(
        "It is corrected",
        "The corrected address is checked once more; if it can be right, the order"
        " goes on.",
    ),
    ("address", "override"): Choice(
        "Ship to it as it is",
        "The address is taken as it stands; the carrier may still refuse it.",
    ),
    ("address", "cancel"): _CANCEL,
    ("delivery", "reship"): Choice(
        "Send it again",
        "New units are reserved and sent in a new parcel, at our expense.",
    ),
    ("delivery", "refund"): Choice(
        "Refund it",
        "The customer gets the price of this parcel back; above the limit a second"
        " person decides.",
        "danger",
    ),
    ("delivery", "wait"): Choice(
        "Wait", "We wait for the carrier's next scan, and ask again in two days."
    ),
    ("delivery", "delivered"): Choice(
        "It has arrived", "The parcel counts as delivered, whatever the carrier says."
    ),
    ("refund", "approve"): Choice(
        "Approve the refund", "The money goes back to the customer now.", "danger"
    ),
    ("refund", "reject"): Choice(
        "Reject the refund", "Nothing is paid back; the order stays as it is."
    ),
    ("refund", "retry"): Choice("Try again", "The provider is asked once more."),
    ("refund", "paid_otherwise"): Choice(
        "It was paid otherwise",
        "The books say it is paid back, and the provider is not asked again.",
    ),
    ("refund", "book"): Choice(
        "Book the provider's sums", "What the provider has given back settles this."
    ),
    ("manual", "release"): Choice(
        "Let it go on", "The order goes on where it stopped."
    ),
    ("manual", "cancel"): _CANCEL,
    ("dispute", "release"): Choice(
        "Let it go on", "What has not left yet is packed and sent."
    ),
    ("dispute", "cancel"): _CANCEL,
    ("difference", "book"): Choice(
        "Book the provider's sums", "Our books take the provider's sums over."
    ),
    ("difference", "cancel"): _CANCEL,
    ("provider", "retry"): _RETRY,
    ("provider", "cancel"): _CANCEL,
}

SILENCE = {
    "reject": "is rejected",
    "cancel_lines": "loses what is missing",
    "cancel": "is cancelled",
}
"""What happens to the order at the due time; anything else escalates."""

DISPOSITIONS = {
    "restock": "Back to the stock",
    "quarantine": "Aside, until it is checked",
    "discard": "Away",
}

SCOPES = {
    "orders:operate": "support",
    "approvals": "approvers",
    "refunds:any": "finance",
    "fulfil": "the warehouse",
}

STATUSES = {
    "placed": "Placed",
    "confirmed": "Confirmed",
    "completed": "Completed",
    "cancelled": "Cancelled",
    "ready": "To pack",
    "packed": "Packed",
    "shipped": "On its way",
    "delivered": "Delivered",
    "returned": "Back with us",
    "lost": "Lost",
    "requested": "Asked for",
    "approved": "Approved",
    "received": "Received",
    "closed": "Closed",
    "rejected": "Rejected",
    "expired": "Expired",
    "pending": "Under way",
    "succeeded": "Paid back",
    "failed": "Failed",
    "running": "Under way",
    "done": "Done",
    "unpaid": "Unpaid",
    "authorized": "Authorised",
    "voided": "Voided",
    "partially_captured": "Partly paid",
    "captured": "Paid",
    "partially_refunded": "Partly refunded",
    "refunded": "Refunded",
    "unfulfilled": "Not sent",
    "partially_fulfilled": "Partly sent",
    "fulfilled": "Sent",
    "partially_returned": "Partly returned",
}

TONES = {
    "good": {
        *("completed", "delivered", "captured", "succeeded", "closed", "fulfilled"),
        *("approved", "done"),
    },
    "info": {
        *("confirmed", "packed", "shipped", "authorized", "ready", "received"),
        *("partially_fulfilled", "partially_captured"),
    },
    "warn": {
        *(
            "pending",
            "requested",
            "running",
            "unpaid",
            "partially_refunded",
            "refunded",
        ),
        *("partially_returned", "returned"),
    },
    "bad": {"lost", "failed", "rejected", "expired"},
}
"""Colours of statuses; they only repeat the words."""

EVENTS = {
    "order.placed": "Order placed",
    "order.screened": "Screened",
    "order.confirmed": "Order confirmed",
    "order.completed": "Order completed",
    "order.cancelled": "Order cancelled",
    "order.cancel_requested": "Cancellation asked for",
    "order.partial_allowed": "May be sent in parts",
    "stock.reserved": "Stock reserved",
    "stock.released": "Stock given back",
    "payment.authorized": "Payment authorised",
    "payment.captured": "Payment taken",
    "payment.declined": "Payment declined",
    "payment.released": "Authorisation let go",
    "payment.action_required": "The bank asks the customer",
    "payment.method_given": "Another payment method",
    "refund.requested": "Refund asked for",
    "refund.part_succeeded": "Paid back in part",
    "refund.succeeded": "Paid back",
    "refund.rejected": "Refund rejected",
    "hold.placed": "Waits for a decision",
    "hold.released": "Decided",
    "hold.assigned": "Assigned",
    "hold.reminded": "Reminder sent",
    "hold.escalated": "Escalated: nobody decided in time",
    "shipment.ready": "Parcel planned",
    "shipment.picked": "Parcel picked",
    "shipment.packed": "Parcel packed",
    "shipment.shipped": "Parcel left",
    "shipment.delivered": "Parcel delivered",
    "shipment.moved": "Parcel moved to another location",
    "shipment.lost": "Parcel lost",
    "shipment.reshipped": "Sent again",
    "shipment.cancelled": "Parcel cancelled",
    "contact.changed": "Contact corrected",
    "note.added": "Note",
}

NEXT_STEPS = {
    "decision-not-allowed": "As things are, only another decision fits.",
    "four-eyes": "Leave it to a colleague: assign it to somebody else.",
    "already-released": "A colleague was faster: see what they decided.",
    "already-shipped": "What has left can only come back: begin a return.",
    "deduction-exceeds-value": "Deduct less, or do not accept it.",
    "exceeds-refundable": "Refund at most what is left to refund.",
    "on-hold": "Somebody has to decide about its hold first.",
    "version-mismatch": "The order has changed meanwhile. Look at it, then try again.",
    "wrong-state": "Look at the order: it has moved on.",
    "would-go-negative": "There is not enough in stock for that.",
    "unavailable": "Nothing is wrong with what you did: send it again.",
    "payment-failed": "The customer needs another payment method.",
    "no-label": "Write the label by hand, and note its number under Labels.",
    "too-many-requests": "Wait a moment, then send it again.",
}


def next_step_of(code: str) -> str:
    """What to do about a problem of the API; nothing if the problem says it itself."""
    return NEXT_STEPS.get(code, "")


def reason_of(reason: str) -> Reason:
    return REASONS.get(reason, Reason(spoken(reason).capitalize(), ""))


def choice_of(reason: str, decision: str) -> Choice:
    return CHOICES.get((reason, decision), Choice(spoken(decision).capitalize(), ""))


def cause_of(detail: dict[str, object]) -> str:
    cause = str(detail.get("cause", ""))
    return CAUSES.get(cause, spoken(cause).capitalize()) if cause else ""


def wrong_of(detail: dict[str, object]) -> str:
    """The wrong fields of an address, without their content."""
    fields = detail.get("fields")
    if not isinstance(fields, list):
        return ""
    pairs = [str(field).partition(": ") for field in fields]
    said = [f"the {spoken(name)} is {why or 'wrong'}" for name, _, why in pairs]
    return f"{' and '.join(said)}.".capitalize() if said else ""


def findings_of(detail: dict[str, object]) -> list[str]:
    found = detail.get("findings")
    if not isinstance(found, list):
        return []
    return [FINDINGS.get(name, spoken(name).capitalize()) for name in map(str, found)]


def status_of(status: str) -> str:
    return STATUSES.get(status, spoken(status).capitalize())


def tone_of(status: str) -> str:
    return next((tone for tone, known in TONES.items() if status in known), "quiet")


def then_of(waiting: dict[str, object]) -> str:
    """The consequence if nobody acts, from the API's answer about the process."""
    said = str(waiting["then"])
    if not said.startswith("Decided as "):
        return said[:1].lower() + said[1:].rstrip(".")
    meant = said.removeprefix("Decided as ").rstrip(".")
    return f"it {SILENCE.get(meant, 'is decided as ' + spoken(meant))}"


def event_of(kind: str) -> str:
    subject, _, what = kind.partition(".")
    thing = "parcel" if subject == "shipment" else subject
    return EVENTS.get(kind, f"{thing.capitalize()} {spoken(what)}")


def who_decides(scope: str) -> str:
    return SCOPES.get(scope, scope)


def by(actor: str | None) -> str:
    """An actor's name in a timeline."""
    if actor and actor.startswith("link:"):
        return "the customer, by the link in a mail"
    return actor or "somebody"


def units(n: int) -> str:
    return "1 unit" if n == 1 else f"{n} units"


def spoken(word: str) -> str:
    return word.replace("_", " ").replace("-", " ")
