"""The types of events that others may subscribe to are those that are written."""

import ast
from collections.abc import Iterator
from pathlib import Path

from api.processes import PROCESSES, event_types
from shared.contracts.orders.states import DisputeStatus, MoneyStatus

ROOT = Path(__file__).parents[2]
SOURCES = [p for folder in ("libs", "services") for p in (ROOT / folder).rglob("*.py")]

# Written with the state that they tell of.
BY_STATE = {
    *(f"refund.{s}" for s in MoneyStatus if s is not MoneyStatus.PENDING),
    *(f"dispute.{s}" for s in DisputeStatus if s.ended),
    *("dispute.opened", "dispute.changed", "shipment.lost", "shipment.returned"),
}
# By a statement, or by a function that is given the type.
BY_OTHER_MEANS = {
    *("order.placed", "webhook_endpoint.created"),
    *("webhook_endpoint.gone", "webhook_endpoint.failed"),
}


def written(source: str) -> Iterator[str]:
    """The types in calls such as `work.event("order.confirmed", …)`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first = node.args[0] if node.args else None
            if node.func.attr == "event" and isinstance(first, ast.Constant):
                yield str(first.value)


def test_every_type_that_is_written_is_declared_and_the_reverse() -> None:
    found = {type for path in SOURCES for type in written(path.read_text())}
    assert found | BY_STATE | BY_OTHER_MEANS == event_types(PROCESSES).keys()


def test_one_that_is_written_is_found() -> None:
    assert list(written("work.event('a.b', x=1); other('c.d')")) == ["a.b"]
