"""The checker finds what it is there to find, one thing at a time."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults import checker
from tests.faults.checker import RULES, findings
from tests.faults.evidence import TABLES, Evidence
from tests.faults.plan import Json

Tables = dict[str, list[Json]]


TEA = "TEA-ASSAM"
SUMS = ("authorized", "capturing", "captured", "released", "refunding", "refunded")


def evidence() -> Evidence:
    """One order, delivered and partly refunded, and one that waits to be packed, whose
    first card the customer has not confirmed."""
    payment = {
        "id": "pay_1",
        "order_id": "ord_1",
        "provider_ref": "pi_1",
        "authorized": 1000,
        "capturing": 0,
        "captured": 1000,
        "released": 0,
        "refunding": 0,
        "refunded": 200,
        "asks_customer": False,
    }
    unconfirmed = {
        "id": "pay_2",
        "order_id": "ord_2",
        "provider_ref": "pi_2",
        "asks_customer": True,
        **dict.fromkeys(SUMS, 0),
    }
    why = {"ref": "ord_1", "actor": "walt"}
    ledger = {"payment_id": "pay_1", "status": "succeeded", "settled_at": 1}
    tables: Tables = {name: [] for name in TABLES} | {
        "orders": [
            {
                "id": "ord_1",
                "external_ref": "run-1",
                "status": "completed",
                "version": 2,
            },
            {
                "id": "ord_2",
                "external_ref": "run-2",
                "status": "confirmed",
                "version": 0,
            },
        ],
        "lines": [
            {"order_id": "ord_1", "line": n, "sku": sku, "reserved": 0}
            for n, sku in ((1, TEA), (2, "MUG-BLUE"))
        ],
        "parcels": [{"sku": TEA, "qty": 2}],
        "shipments": [
            {
                "id": "shp_1",
                "status": "delivered",
                "label_ref": "lbl_1",
                "amount": 1000,
                "capture_id": "led_2",
                "shipped_at": 2,
            },
        ],
        "payments": [payment, unconfirmed],
        "ledger": [
            {
                "id": "led_1",
                "kind": "authorize",
                "amount": 1000,
                "provider_ref": "pi_1",
                **ledger,
            },
            {
                "id": "led_2",
                "kind": "capture",
                "amount": 1000,
                "provider_ref": "pi_1",
                **ledger,
            },
            {
                "id": "led_3",
                "kind": "refund",
                "amount": 200,
                "provider_ref": "re_1",
                **ledger,
            },
            {
                "kind": "authorize",
                "amount": 500,
                "provider_ref": None,
                "payment_id": "pay_2",
                "status": "pending",
            },
        ],
        "movements": [
            {"sku": TEA, "on_hand": 9, "reserved": 0, "reason": "receipt", **why},
            {"sku": TEA, "on_hand": 0, "reserved": 2, "reason": "reserve", **why},
            {"sku": TEA, "on_hand": -2, "reserved": -2, "reason": "ship", **why},
        ],
        "stock": [{"sku": TEA, "on_hand": 7, "reserved": 0}],
        "events": [
            {"subject": "ord_1", "seq": 1, "type": "order.placed", "data": "{}"},
            {"subject": "ord_1", "seq": 2, "type": "order.completed", "data": "{}"},
        ],
        "messages": [
            {
                "subject": "ord_1",
                "seq": 1,
                "type": "order.placed",
                "status": "sent",
                "attempts": 1,
                "overdue": False,
            }
        ],
    }
    charge = {
        "payment_intent": "pi_1",
        "authorized": 1000,
        "capturable": 0,
        "captured": 1000,
        "refunded": 200,
        "metadata": {"payment_id": "pay_1"},
        "captures": [{"amount": 1000}],
        "refunds": [
            {
                "id": "re_1",
                "amount": 200,
                "status": "succeeded",
                "metadata": {"refund_id": "ref_1"},
            }
        ],
    }
    return Evidence(
        answered={"run-1": "ord_1"},
        tables=tables,
        charges=[charge],
        labels=[{"id": "lbl_1", "reference": "shp_1", "voided": False}],
        mails=[{"message_id": "<ord_1.1@example.com>"}],
        waiting={"ord_2": {"waiting_for": ["packing"], "pending_activities": []}},
        running={"ord_2": 1},
        heard={"erp": [("ord_1", 1), ("ord_1", 2), ("ord_1", 1)]},
        broken=[],
    )


def test_a_run_that_went_well_has_no_findings() -> None:
    assert findings(evidence()) == []


def _again(rows: Any) -> None:
    rows.append(copy.deepcopy(rows[0]))


TAMPERED: dict[str, Callable[[Any], Any]] = {
    "every_answer_is_an_order": lambda e: e.tables["orders"].pop(0),
    "no_order_was_placed_twice": lambda e: _again(e.tables["orders"]),
    "every_open_order_is_looked_after": lambda e: e.running.clear(),
    "no_workflow_broke": lambda e: e.broken.append("order/ord_1 FAILED"),
    "every_receiver_heard_of_every_event_in_order": lambda e: e.heard["erp"].pop(1),
    "no_finished_order_keeps_stock": lambda e: e.tables["lines"][0].update(reserved=1),
    "the_audit_views_are_empty": lambda e: e.tables["audits"].append(
        {"view": "audit_money", "subject": "ord_1"}
    ),
    "the_ledger_equals_the_providers_books": lambda e: e.charges[0].update(refunded=0),
    "nothing_is_charged_twice": lambda e: _again(e.charges[0]["captures"]),
    "nothing_is_refunded_twice": lambda e: _again(e.charges[0]["refunds"]),
    "what_is_booked_for_a_parcel_was_taken": lambda e: e.charges[0]["captures"][
        0
    ].update(amount=999),
    "no_goods_leave_before_their_money_is_booked": lambda e: e.tables["ledger"][
        1
    ].update(settled_at=3),
    "no_step_is_left_without_an_end_or_a_hold": lambda e: e.tables["ledger"][1].update(
        status="pending", provider_ref=None
    ),
    "every_label_is_a_parcels": lambda e: e.labels.append(
        {"id": "lbl_2", "reference": "shp_1", "voided": False}
    ),
    "stock_equals_its_movements": lambda e: e.tables["stock"][0].update(on_hand=6),
    "no_order_is_split_that_one_warehouse_has": lambda e: e.tables["events"].extend(
        {
            "subject": "ord_1",
            "seq": n,
            "type": "shipment.ready",
            "data": json.dumps(
                {"location": place, "shipment_id": "", "lines": [{"line": n}]}
            ),
        }
        for n, place in ((1, "berlin"), (2, "leipzig"))
    ),
    "every_movement_says_why_and_by_whom": lambda e: e.tables["movements"][0].update(
        ref=None
    ),
    "what_was_moved_is_elsewhere": lambda e: e.tables["movements"][1].update(
        reason="move"
    ),
    "no_event_is_missing_or_twice": lambda e: e.tables["events"].pop(),
    "every_message_is_one_mail": lambda e: _again(e.mails),
    "every_webhook_is_worked_off": lambda e: e.tables["inbox"].append(
        {"event_id": "evt_1", "type": "x", "error": None}
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_each_rule_finds_what_breaks_it(rule: Callable[[Evidence], Any]) -> None:
    tampered = evidence()
    TAMPERED[rule.__name__](tampered)
    assert list(rule(tampered))


MORE: dict[str, Callable[[Any], Any]] = {
    "an open order without a reason": lambda e: e.waiting["ord_2"].update(
        waiting_for=[]
    ),
    "a step that still fails": lambda e: e.waiting["ord_2"][
        "pending_activities"
    ].append({"last_error": "no"}),
    "money at the provider that is nobody's": lambda e: [
        e.tables[name].clear() for name in ("payments", "ledger")
    ],
    "a charge for a payment that has one": lambda e: _again(e.charges),
    "a payment unknown to the provider": lambda e: e.charges.clear(),
    "a refund that nobody asked for": lambda e: e.tables["ledger"].pop(2),
    "an authorisation that nobody hears of": lambda e: e.tables["payments"][1].update(
        asks_customer=False
    ),
    "a parcel that left for another sum": lambda e: e.tables["shipments"][0].update(
        amount=999
    ),
    "a parcel without its label": lambda e: e.labels.clear(),
    "a parcel that left without its goods": lambda e: e.tables["parcels"].clear(),
    "an event that says the same again": lambda e: e.tables["events"][1].update(
        type="order.placed"
    ),
    "a mail that never arrived": lambda e: e.mails.clear(),
    "a mail about nothing": lambda e: e.tables["messages"].clear(),
    "a message that nobody sends": lambda e: e.tables["messages"][0].update(
        status="open", overdue=True
    ),
}


def test_a_card_is_not_confirmed_after_the_end() -> None:
    tampered: Any = evidence()
    tampered.tables["orders"][1]["status"] = "completed"
    assert list(checker.no_step_is_left_without_an_end_or_a_hold(tampered))


@pytest.mark.parametrize("what", MORE)
def test_it_is_found(what: str) -> None:
    tampered = evidence()
    MORE[what](tampered)
    assert findings(tampered)
