"""One order is one trace, through both processes, and says each thing once."""

from collections import Counter

from tests.observe.conftest import Seen


def test_a_cancelled_order_is_one_tree(seen: Seen) -> None:
    by_id = {span.id: span for span in seen.trace}
    roots = [span for span in seen.trace if not span.parent_id]
    assert [(span.name, span.service) for span in roots] == [("POST /v1/orders", "api")]
    # No part is missing between any span and the root.
    assert all(span.parent_id in by_id for span in seen.trace if span.parent_id)


def test_the_tree_has_workflow_activities_statements_and_stripe(seen: Seen) -> None:
    names = {span.id: span.name for span in seen.trace}
    edges = {(names.get(s.parent_id, ""), s.name) for s in seen.trace}
    assert edges >= {
        ("POST /v1/orders", "INSERT idempotency_keys"),
        ("POST /v1/orders", "StartWorkflow:Order"),
        ("StartWorkflow:Order", "RunWorkflow:Order"),
        ("RunWorkflow:Order", "StartActivity:authorize"),
        ("StartActivity:authorize", "RunActivity:authorize"),
        ("RunActivity:authorize", "POST 127.0.0.1"),
        ("RunActivity:authorize", "UPDATE orders"),
        ("RunWorkflow:Order", "StartActivity:release"),
        ("RunActivity:release", "POST 127.0.0.1"),
    }


def test_each_step_is_there_once(seen: Seen) -> None:
    steps = Counter(span.name for span in seen.trace)
    for step in ("authorize", "release"):
        assert steps[f"RunActivity:{step}"] == 1
    assert steps["RunWorkflow:Order"] == 1


def test_no_statement_carries_a_value(seen: Seen) -> None:
    assert not [span for span in seen.trace if seen.order_id in span.name]
