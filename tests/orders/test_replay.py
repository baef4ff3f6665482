"""Code that changes goes on with what older code began.

`uv run poe record` writes the histories anew, of every workflow and every branch
(`stories`). That is right for a release's first recordings only: a history that no
longer replays belongs to an order that is stuck.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shared.contracts.orders.names import export_workflow_id
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError
from worker.runtime.sandbox import sandbox

from tests.architecture.contracts import (
    promised_activities,
    promised_workflows,
    registered,
)
from tests.orders.stories import ALSO, STORIES
from tests.support.audits import personal_data_in
from tests.support.sampling import sampled
from tests.support.shop import PATIENCE_SECONDS, Shop

Life = WorkflowHandle[Any, Any]

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


# ── what is recorded ────────────────────────────────────────────────────────────────


def test_every_story_is_recorded() -> None:
    assert {path.stem.partition("-")[0] for path in RECORDED} == set(STORIES)


def test_every_workflow_is_recorded() -> None:
    recorded = {type_of(read(path)) for path in RECORDED}
    assert recorded == set(promised_workflows())


def test_every_step_of_a_workflow_is_recorded() -> None:
    recorded = {step for path in RECORDED for step in steps(read(path))}
    assert promised_activities() - recorded == set()


def test_every_command_is_recorded() -> None:
    """Updates and signals, by the workflow they are for."""
    recorded = {command for path in RECORDED for command in commands(read(path))}
    promised = {
        (name, command)
        for name, workflow in promised_workflows().items()
        for command in promised_commands(workflow)
    }
    assert promised - recorded == set()


def type_of(history: WorkflowHistory) -> str:
    begun = history.events[0].workflow_execution_started_event_attributes
    return begun.workflow_type.name


def steps(history: WorkflowHistory) -> Iterator[str]:
    """Of both kinds: a local activity leaves a marker that tells of it."""
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            yield event.activity_task_scheduled_event_attributes.activity_type.name
        if event.HasField("marker_recorded_event_attributes"):
            (told,) = event.marker_recorded_event_attributes.details["data"].payloads
            yield json.loads(told.data)["activity_type"]


def commands(history: WorkflowHistory) -> Iterator[tuple[str, str]]:
    for event in history.events:
        update = event.workflow_execution_update_accepted_event_attributes
        signal = event.workflow_execution_signaled_event_attributes
        name = update.accepted_request.input.name or signal.signal_name
        if name:
            yield type_of(history), name


def promised_commands(workflow: type) -> Iterator[str]:
    definition = vars(workflow)["__temporal_workflow_definition"]
    yield from (*definition.updates, *definition.signals)


# ── that it goes on ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("recording", RECORDED, ids=lambda path: path.stem)
async def test_recorded_histories_replay(replayer: Replayer, recording: Path) -> None:
    await replayer.replay_workflow(read(recording))


@pytest.mark.parametrize(
    ("recording", "step"),
    [
        pytest.param("delivered-order", "authorize", id="local"),
        pytest.param("cancelled-order", "void_label", id="queue"),
    ],
)
async def test_a_changed_step_is_found(
    replayer: Replayer, recording: str, step: str
) -> None:
    """The guard itself: a step that goes by another name is another step."""
    history = read(HISTORIES / f"{recording}.json")
    assert step in steps(history)
    rename(step, history)
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history)


def rename(step: str, history: WorkflowHistory) -> None:
    for event in history.events:
        queued = event.activity_task_scheduled_event_attributes.activity_type
        if queued.name == step:
            queued.name = "renamed"
        if event.HasField("marker_recorded_event_attributes"):
            (told,) = event.marker_recorded_event_attributes.details["data"].payloads
            told.data = told.data.replace(b'"%b"' % step.encode(), b'"renamed"')


@pytest.mark.parametrize("recording", RECORDED, ids=lambda path: path.stem)
def test_histories_are_short_and_name_nobody(recording: Path) -> None:
    history = read(recording)
    assert len(history.events) < MOST_EVENTS
    assert personal_data_in(history.events) == set()
    assert "stackTrace" not in recording.read_text(), "paths of whoever recorded it"


# That each of them is recorded, and replays, is asked above: a few live ones are enough
# to see that the recordings are like them.
@pytest.mark.parametrize(
    "name", sampled(STORIES, "delivered", "backordered", "returned", "routine")
)
async def test_a_story_leaves_a_history_that_replays(
    shop: Shop, replayer: Replayer, name: str, pytestconfig: pytest.Config
) -> None:
    order_id = await STORIES[name](shop)
    for kind, handle in (await lives(shop, order_id, name)).items():
        history = await ended(handle)
        await replayer.replay_workflow(history)
        if pytestconfig.getoption("--record-histories"):
            write(HISTORIES / f"{name}-{kind}.json", history)


async def lives(shop: Shop, order_id: str, name: str) -> dict[str, Life]:
    """Every workflow that had a part in a story, once its order has ended."""
    order = await shop.ended(order_id)
    known: dict[str, Life] = {"order": shop.workflow(order_id)}
    alone = (r for r in order.refunds if not r.reason.run_by_order)
    for n, refund in enumerate(alone, start=1):
        known[f"refund-{n}"] = shop.refund(refund.id)
    for n, goods in enumerate(order.returns, start=1):
        known[f"return-{n}"] = shop.return_(goods.id)
    for row in await shop.fetch("SELECT id FROM exports"):
        known["export"] = shop.client.get_workflow_handle(export_workflow_id(row.id))
    for kind, id in ALSO.get(name, {}).items():
        known[kind] = shop.client.get_workflow_handle(id)
    return known


async def ended(handle: Life) -> WorkflowHistory:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await handle.result()
    return await handle.fetch_history()


def write(recording: Path, history: WorkflowHistory) -> None:
    known = json.loads(history.to_json(), object_hook=nameless)
    # Formatted, so that a change can be read.
    recording.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def nameless(part: dict[str, Any]) -> dict[str, Any]:
    """Without the name and the paths of the machine that recorded it."""
    return {
        name: "recorder" if name == "identity" else value
        for name, value in part.items()
        if name != "stackTrace"
    }
