"""Nonsense that reaches a workflow fails at once, and is not repeated to anybody."""

from typing import Any

import pytest
from shared.contracts.orders.names import ORDERS
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.support.shop import Shop

SECRET = "Quibblethwaite"


def cause_of(failed: WorkflowFailureError | WorkflowUpdateFailedError) -> Any:
    cause = failed.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "PayloadValidationError"
    assert SECRET not in f"{cause!r} {cause.details}"
    return cause.details[0]


@pytest.mark.parametrize("workflow", ["Order", "Refund", "Return"])
async def test_a_workflow_that_is_started_with_nonsense_fails_at_once(
    shop: Shop, workflow: str
) -> None:
    with pytest.raises(WorkflowFailureError) as failed:
        await shop.client.execute_workflow(
            workflow, {"order_id": SECRET}, id="nonsense", task_queue=ORDERS
        )
    fields = {tuple(detail["loc"]) for detail in cause_of(failed.value)}
    assert ("order_id",) in fields


async def test_an_order_that_does_not_exist_fails_at_once(shop: Shop) -> None:
    nobody = {"order_id": "ord_" + "0" * 26}
    with pytest.raises(WorkflowFailureError) as failed:
        await shop.client.execute_workflow(
            "Order", nobody, id="nobody", task_queue=ORDERS
        )
    assert "not-found" in str(failed.value.cause.__cause__ or failed.value.cause)


async def test_a_nonsensical_update_is_refused_and_changes_nothing(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    before = await shop.order(order_id)
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await shop.workflow(order_id).execute_update(
            "cancel", {"order_id": order_id, "key": "", "lines": SECRET}
        )
    fields = {tuple(detail["loc"]) for detail in cause_of(failed.value)}
    assert {("key",), ("actor",), ("reason",), ("lines",)} <= fields
    assert await shop.order(order_id) == before


async def test_an_order_survives_a_nonsensical_signal(shop: Shop) -> None:
    order_id = await shop.confirmed(TEA=1)
    await shop.workflow(order_id).signal("nudge", args=["nonsense", 1])
    await shop.workflow(order_id).signal("no-such-signal", "nonsense")
    await shop.delivered(order_id)
    await shop.ended(order_id)
