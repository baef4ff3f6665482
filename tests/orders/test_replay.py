"""Code that changes goes on with what older code began.

`uv run poe record` writes the histories anew. That is right for a release's first
recordings only: a history that no longer replays belongs to an order that is stuck.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError
from worker.runtime.sandbox import sandbox

from tests.architecture.contracts import registered
from tests.orders.stories import STORIES
from tests.support.audits import personal_data_in
from tests.support.shop import Shop

HISTORIES = Path(__file__).parent.parent / "histories"
RECORDED = sorted(HISTORIES.glob("*.json"))
MOST_EVENTS = 120
"""The server warns at 10,240 events; an everyday order is far from it."""


def read(recording: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(recording.stem, recording.read_text())


@pytest.fixture
async def replayer(temporal: Client) -> Replayer:
    workflows = [
        known
        for process in registered(temporal)
        for queue in process.queues
        for known in queue.workflows
    ]
    return Replayer(
        workflows=workflows, data_converter=DATA_CONVERTER, workflow_runner=sandbox()
    )


def test_every_story_is_recorded() -> None:
    assert {path.stem.partition("-")[0] for path in RECORDED} >= set(STORIES)


@pytest.mark.parametrize("recording", RECORDED, ids=lambda path: path.stem)
async def test_recorded_histories_replay(replayer: Replayer, recording: Path) -> None:
    await replayer.replay_workflow(read(recording))


async def test_a_changed_step_is_found(replayer: Replayer) -> None:
    """The guard itself: a step that goes by another name is another step."""
    recording = (HISTORIES / "delivered-order.json").read_text()
    assert '"authorize"' in recording
    changed = recording.replace('"authorize"', '"charge"')
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(WorkflowHistory.from_json("changed", changed))


@pytest.mark.parametrize("recording", RECORDED, ids=lambda path: path.stem)
def test_histories_are_short_and_name_nobody(recording: Path) -> None:
    history = read(recording)
    assert len(history.events) < MOST_EVENTS
    assert personal_data_in(history.events) == set()


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_leaves_a_history_that_replays(
    shop: Shop, replayer: Replayer, name: str, pytestconfig: pytest.Config
) -> None:
    order_id = await STORIES[name](shop)
    order = await shop.ended(order_id)
    lives: dict[str, WorkflowHandle[Any, Any]] = {"order": shop.workflow(order_id)}
    lives |= {
        f"shipment-{n}": shop.parcel(parcel.id)
        for n, parcel in enumerate(order.shipments, start=1)
    }
    lives |= {
        f"refund-{n}": shop.refund(refund.id)
        for n, refund in enumerate(order.refunds, start=1)
    }
    for kind, handle in lives.items():
        history = await handle.fetch_history()
        await replayer.replay_workflow(history)
        if pytestconfig.getoption("--record-histories"):
            write(HISTORIES / f"{name}-{kind}.json", history)


def write(recording: Path, history: WorkflowHistory) -> None:
    known = json.loads(history.to_json(), object_hook=nameless)
    # Formatted, so that a change can be read.
    recording.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def nameless(part: dict[str, Any]) -> dict[str, Any]:
    """Without the name of the machine that recorded it."""
    return {
        name: "recorder" if name == "identity" else value
        for name, value in part.items()
    }
