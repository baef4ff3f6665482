"""A return and a refund that began under an older version go on under this one."""

from pathlib import Path

import pytest
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError
from worker.orders.workflows.refund import RefundWorkflow
from worker.orders.workflows.return_ import ReturnWorkflow
from worker.runtime.sandbox import sandbox

HISTORIES = Path(__file__).parents[1] / "histories"


async def replay(text: str) -> None:
    replayer = Replayer(
        workflows=[RefundWorkflow, ReturnWorkflow],
        workflow_runner=sandbox(),
        data_converter=DATA_CONVERTER,
    )
    await replayer.replay_workflow(WorkflowHistory.from_json("replayed", text))


@pytest.mark.parametrize("name", ["refund", "return"])
async def test_a_recorded_history_is_replayed(name: str) -> None:
    await replay((HISTORIES / f"{name}.json").read_text())


async def test_a_step_that_was_renamed_is_found() -> None:
    recorded = (HISTORIES / "return.json").read_text()
    assert "buy_return_label" in recorded
    with pytest.raises(NondeterminismError):
        await replay(recorded.replace("buy_return_label", "print_return_label"))
