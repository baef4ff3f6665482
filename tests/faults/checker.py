"""Proves from the evidence that nothing was lost and nothing happened twice.

Pure: each rule yields a sentence for whatever breaks it, and nothing otherwise.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.faults.evidence import Evidence, Row, Rows
from tests.faults.people import LIES_AT

MAIL_DOMAIN = "example.com"

# What may happen to a thing once in its life, by what names the thing in the event.
ONCE = {
    "order.placed": (),
    "order.confirmed": (),
    "order.completed": (),
    "order.cancelled": (),
    "payment.authorized": ("payment_id",),
    "payment.captured": ("shipment_id",),
    "payment.released": ("payment_id",),
    "shipment.ready": ("shipment_id",),
    "shipment.packed": ("shipment_id",),
    "shipment.shipped": ("shipment_id",),
    "shipment.delivered": ("shipment_id",),
    "shipment.cancelled": ("shipment_id",),
    "shipment.label_voided": ("shipment_id",),
    "refund.requested": ("refund_id",),
    "refund.succeeded": ("refund_id",),
    "return.requested": ("return_id",),
    "return.approved": ("return_id",),
    "return.received": ("return_id",),
    "return.closed": ("return_id",),
    "hold.placed": ("hold_id",),
    "hold.released": ("hold_id",),
}


def findings(evidence: Evidence) -> list[str]:
    """What is wrong; nothing after a run that went well."""
    return [finding for rule in RULES for finding in rule(evidence)]


# ── orders ──────────────────────────────────────────────────────────────────────────


def every_answer_is_an_order(e: Evidence) -> Iterator[str]:
    known = {order["id"]: order["external_ref"] for order in e["orders"]}
    for reference, order_id in e.answered.items():
        if known.get(order_id) != reference:
            yield f"{order_id} was answered for {reference} and is no such order"


def no_order_was_placed_twice(e: Evidence) -> Iterator[str]:
    yield from _more_than_one(
        (order["external_ref"] for order in e["orders"]), "orders for"
    )


def every_open_order_is_looked_after(e: Evidence) -> Iterator[str]:
    for order_id, process in e.waiting.items():
        if e.running.get(order_id) != 1:
            yield f"{order_id} has work left and no running workflow"
        if not process["waiting_for"]:
            yield f"{order_id} is open and waits for nothing: {process}"
        for activity in process["pending_activities"]:
            if activity["last_error"]:
                yield f"{order_id} still fails at {activity}"


def no_workflow_broke(e: Evidence) -> Iterator[str]:
    for workflow in e.broken:
        yield f"workflow {workflow}"


def no_finished_order_keeps_stock(e: Evidence) -> Iterator[str]:
    final = {o["id"] for o in e["orders"] if o["status"] in ("completed", "cancelled")}
    for line in e["lines"]:
        if line["order_id"] in final and line["reserved"]:
            yield f"{line['order_id']} is over and reserves {line}"


# ── the books ───────────────────────────────────────────────────────────────────────


def the_audit_views_are_empty(e: Evidence) -> Iterator[str]:
    for row in e["audits"]:
        yield f"{row['view']} shows {row['subject']}"
    for row in e["discrepancies"]:
        yield f"discrepancy {row['kind']} of {row['subject']}: {row['detail']}"


def the_ledger_equals_the_providers_books(e: Evidence) -> Iterator[str]:
    booked = {charge["payment_intent"]: charge for charge in e.charges}
    for payment in e["payments"]:
        theirs = booked.pop(payment["provider_ref"], None)
        wrong = dict(_differences(payment, theirs))
        if wrong:
            yield f"{payment['id']} of {payment['order_id']}, ours and theirs: {wrong}"
    for ref, orphan in booked.items():
        if orphan["capturable"] or orphan["captured"] > orphan["refunded"]:
            yield f"the provider holds money of {ref}, which is nobody's: {orphan}"


def _differences(ours: Row, theirs: Row | None) -> Iterator[tuple[str, Any]]:
    held = ours["authorized"] - ours["captured"] - ours["released"]
    sums = {
        "authorized": ours["authorized"],
        "captured": ours["captured"],
        "refunded": ours["refunded"] + ours["refunding"],
        "capturable": held,
    }
    for name, amount in sums.items():
        if amount != (theirs[name] if theirs else 0):
            yield name, (amount, theirs and theirs[name])


def nothing_is_charged_twice(e: Evidence) -> Iterator[str]:
    """As many captures at the provider as rows here say, and one live charge for
    each payment."""
    ledger = [r for r in e["ledger"] if r["status"] == "succeeded"]
    refs = {payment["id"]: payment["provider_ref"] for payment in e["payments"]}
    ours = Counter(refs[r["payment_id"]] for r in ledger if r["kind"] == "capture")
    for charge in e.charges:
        ref, captures = charge["payment_intent"], charge["captures"]
        if len(captures) != ours[ref]:
            yield f"{ref} was captured {len(captures)} times, for us {ours[ref]} times"
    yield from _more_than_one(
        (c["metadata"].get("payment_id") for c in e.charges if c["authorized"]),
        "authorisations for",
    )


def nothing_is_refunded_twice(e: Evidence) -> Iterator[str]:
    ours = {
        row["provider_ref"]: row
        for row in e["ledger"]
        if row["kind"] == "refund" and row["status"] != "failed"
    }
    for charge in e.charges:
        live = [r for r in charge["refunds"] if r["status"] in ("pending", "succeeded")]
        for refund in live:
            known = ours.get(refund["id"])
            if known is None or known["amount"] != refund["amount"]:
                yield f"a refund that we did not ask for: {refund}, ours is {known}"
        yield from _more_than_one(
            (refund["metadata"].get("refund_id") for refund in live),
            f"refunds of {charge['payment_intent']} for",
        )


def what_is_booked_for_a_parcel_was_taken(e: Evidence) -> Iterator[str]:
    """To the cent: the goods left because of it."""
    taken = {c["payment_intent"]: _amounts(c["captures"]) for c in e.charges}
    refs = {payment["id"]: payment["provider_ref"] for payment in e["payments"]}
    for row in e["ledger"]:
        if (row["kind"], row["status"]) == ("capture", "succeeded"):
            theirs = taken.get(refs.get(row["payment_id"]), Counter())
            if not theirs[row["amount"]]:
                yield f"booked {row}, and the provider took {dict(theirs)}"
            theirs[row["amount"]] -= 1


def _amounts(rows: Rows) -> Counter[int]:
    return Counter(row["amount"] for row in rows)


def no_goods_leave_before_their_money_is_booked(e: Evidence) -> Iterator[str]:
    rows = {row["id"]: row for row in e["ledger"] if row["kind"] == "capture"}
    for shipment in e["shipments"]:
        if shipment["shipped_at"] is None or not shipment["amount"]:
            continue  # it is here, or was paid for together with another
        row = rows.get(shipment["capture_id"])
        booked = row and (row["status"], row["amount"]) == (
            "succeeded",
            shipment["amount"],
        )
        if row is None or not booked or row["settled_at"] > shipment["shipped_at"]:
            yield f"{shipment['id']} left, and what was booked for it is {row}"


def no_step_is_left_without_an_end_or_a_hold(e: Evidence) -> Iterator[str]:
    """What the provider was asked is settled, is on its way there, or a person's. The
    customer is such a person, who may confirm a first card after a second one was
    taken, until the order is over."""
    payments = {payment["id"]: payment for payment in e["payments"]}
    over = {o["id"] for o in e["orders"] if o["status"] in ("completed", "cancelled")}
    held = {hold["root"] for hold in e["holds"]}
    for row in e["ledger"]:
        payment = payments[row["payment_id"]]
        order_id = payment["order_id"]
        asks = row["kind"] == "authorize" and payment["asks_customer"]
        open_here = row["status"] == "pending" and not row["provider_ref"]
        if open_here and order_id not in held and not (asks and order_id not in over):
            yield f"nobody knows what became of {row}"


# ── goods ───────────────────────────────────────────────────────────────────────────


def every_label_is_a_parcels(e: Evidence) -> Iterator[str]:
    ours = {row["label_ref"]: row["id"] for row in (*e["shipments"], *e["returns"])}
    valid = {label["id"]: label for label in e.labels if not label["voided"]}
    for ref, label in valid.items():
        if ours.get(ref) != label["reference"]:
            yield f"label {ref} of {label['reference']} is valid and nobody's"
    for shipment in e["shipments"]:
        sent = shipment["status"] in ("packed", "shipped", "delivered", "lost")
        if sent and shipment["label_ref"] not in valid:
            yield f"{shipment['id']} is {shipment['status']} without a valid label"
    yield from _more_than_one(
        (label["reference"] for label in valid.values()), "labels for"
    )


def stock_equals_its_movements(e: Evidence) -> Iterator[str]:
    """Counted anew, and against what is in the parcels that left."""
    there = _summed(e["stock"], "on_hand", "reserved")
    moved = _summed(e["movements"], "on_hand", "reserved")
    for sku in there.keys() | moved.keys():
        if there[sku] != moved[sku]:
            yield f"{sku}: {dict(there[sku])} in stock, {dict(moved[sku])} moved"
    sent = _summed(e["parcels"], "qty")
    gone = _summed([m for m in e["movements"] if m["reason"] == "ship"], "on_hand")
    for sku in sent.keys() | gone.keys():
        if sent[sku]["qty"] != -gone[sku]["on_hand"]:
            yield f"{sku}: {dict(sent[sku])} sent, {dict(gone[sku])} left the stock"


def _summed(rows: Rows, *columns: str) -> dict[str, Counter[str]]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for column in columns:
            sums[row["sku"]][column] += row[column]
    return sums


def no_order_is_split_that_one_warehouse_has(e: Evidence) -> Iterator[str]:
    """As it was planned at first: what is left of one later goes from where it can."""
    skus = {(line["order_id"], line["line"]): line["sku"] for line in e["lines"]}
    for order_id, parcels in _first_plans(e["events"]).items():
        planned = {
            skus[order_id, line["line"]]
            for parcel in parcels
            for line in parcel["lines"]
        }
        has_all = [place for place, there in LIES_AT.items() if planned <= there]
        places = {parcel["location"] for parcel in parcels}
        if has_all and len(places) > 1:
            yield f"{order_id} is sent from {places}, and {has_all} has all of it"


def _first_plans(events: Rows) -> dict[str, list[Row]]:
    """The parcels that an order was first planned with; of others there are no events
    of this kind one after the other."""
    plans: dict[str, list[Row]] = {}
    over = set()
    for event in events:
        order_id = event["subject"]
        if event["type"] == "shipment.ready" and order_id not in over:
            plans.setdefault(order_id, []).append(json.loads(event["data"]))
        elif order_id in plans:
            over.add(order_id)
    return plans


def every_movement_says_why_and_by_whom(e: Evidence) -> Iterator[str]:
    for row in e["movements"]:
        if not row["ref"] or not row["actor"]:
            yield f"nobody knows why: {row}"


def what_was_moved_is_elsewhere(e: Evidence) -> Iterator[str]:
    moved = _summed([m for m in e["movements"] if m["reason"] == "move"], "reserved")
    for sku, units in moved.items():
        if units["reserved"]:
            yield f"{sku}: {units['reserved']} more units came than left by moves"


# ── what was told ───────────────────────────────────────────────────────────────────


def no_event_is_missing_or_twice(e: Evidence) -> Iterator[str]:
    seen: dict[str, list[Row]] = defaultdict(list)
    for event in e["events"]:
        seen[event["subject"]].append(event)
    for order in e["orders"]:
        numbers = [event["seq"] for event in seen[order["id"]]]
        if numbers != list(range(1, order["version"] + 1)):
            yield f"{order['id']} has version {order['version']} and events {numbers}"
    for subject, events in seen.items():
        yield from _more_than_one(map(_deed, events), f"times {subject}:")


def _deed(event: Row) -> str | None:
    names = ONCE.get(event["type"])
    if names is None:
        return None
    data = json.loads(event["data"])
    return " ".join((event["type"], *(str(data.get(name)) for name in names)))


def every_message_is_one_mail(e: Evidence) -> Iterator[str]:
    """If the answer was lost, SMTP cannot say whether a mail arrived, so the same mail
    is sent again: at most one copy for each attempt, recognised by its Message-ID."""
    copies = Counter(mail["message_id"] for mail in e.mails)
    for message in e["messages"]:
        name = f"{message['subject']}.{message['seq']}"
        arrived = copies.pop(f"<{name}@{MAIL_DOMAIN}>", 0)
        if message["status"] == "open" and message["overdue"]:
            yield f"message {name} ({message['type']}) is overdue and not sent"
        if message["status"] == "failed":
            yield f"message {name} ({message['type']}) has failed"
        if message["status"] == "sent" and not arrived:
            yield f"message {name} ({message['type']}) was sent and did not arrive"
        if arrived > message["attempts"]:
            yield f"message {name} was mailed {arrived} times"
    for stranger in copies:
        yield f"mail {stranger} tells of nothing that happened"


def every_receiver_heard_of_every_event_in_order(e: Evidence) -> Iterator[str]:
    """At least once; of each subject, the first time in the order of its events."""
    happened: dict[str, list[int]] = defaultdict(list)
    for event in e["events"]:
        happened[event["subject"]].append(event["seq"])
    for receiver, heard in e.heard.items():
        first: dict[str, list[int]] = defaultdict(list)
        for subject, seq in dict.fromkeys(heard):
            first[subject].append(seq)
        for subject in happened.keys() | first.keys():
            if first[subject] != happened[subject]:
                yield (
                    f"receiver {receiver} heard of {subject} {first[subject]},"
                    f" and {happened[subject]} happened"
                )


def every_webhook_is_worked_off(e: Evidence) -> Iterator[str]:
    for row in e["inbox"]:
        yield f"webhook {row['event_id']} ({row['type']}) waits: {row['error']}"


def _more_than_one(names: Iterable[str | None], what: str) -> Iterator[str]:
    for name, count in Counter(names).items():
        if name is not None and count > 1:
            yield f"{count} {what} {name}"


RULES: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    every_answer_is_an_order,
    no_order_was_placed_twice,
    every_open_order_is_looked_after,
    no_workflow_broke,
    no_finished_order_keeps_stock,
    the_audit_views_are_empty,
    the_ledger_equals_the_providers_books,
    nothing_is_charged_twice,
    nothing_is_refunded_twice,
    what_is_booked_for_a_parcel_was_taken,
    no_goods_leave_before_their_money_is_booked,
    no_step_is_left_without_an_end_or_a_hold,
    every_label_is_a_parcels,
    stock_equals_its_movements,
    no_order_is_split_that_one_warehouse_has,
    every_movement_says_why_and_by_whom,
    what_was_moved_is_elsewhere,
    no_event_is_missing_or_twice,
    every_message_is_one_mail,
    every_receiver_heard_of_every_event_in_order,
    every_webhook_is_worked_off,
)
