"""Checks whether this code can continue what other code began.

Histories are replayed with the workflows of this code, as by a worker that takes them
over. Replaying only reads. It finds steps that were moved, renamed or left out, and
proves nothing else.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.json_format import ParseError
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from worker.releasing.problems import CannotTell
from worker.runtime.sandbox import sandbox

OPEN = "ExecutionStatus = 'Running'"
NOT_PINNED = (
    "(TemporalWorkflowVersioningBehavior IS NULL"
    " OR TemporalWorkflowVersioningBehavior != 'Pinned')"
)

OTHER_STEPS = """\
This code takes other steps than those recorded. Either
  - put the change behind workflow.patched("…"): what has begun goes on the old way, or
  - release it as a build of its own, so that what has begun stays on its own build:
    docs/how-to/operate.md, "Worker versioning"."""
BREAKS = """\
This code does not have the workflow any more, or fails on what is recorded. Mend that,
or keep a worker of the older code until the last such workflow has ended."""


@dataclass(frozen=True)
class Replayed:
    """`failure` is what this code makes of the history; `None` if it could go on."""

    workflow: str
    type: str
    run: str
    failure: Exception | None

    @property
    def advice(self) -> str:
        other = isinstance(self.failure, NondeterminismError)
        return OTHER_STEPS if other else BREAKS


async def replay(
    histories: AsyncIterator[WorkflowHistory],
    workflows: Sequence[type],
    converter: DataConverter,
    namespace: str,
) -> AsyncIterator[Replayed]:
    """`namespace` is where the histories are from: their payloads are bound to it."""
    replayer = Replayer(
        workflows=workflows,
        workflow_runner=sandbox(),
        data_converter=converter,
        namespace=namespace,
    )
    async with replayer.workflow_replay_iterator(histories) as results:
        async for result in results:
            history = result.history
            begun = history.events[0].workflow_execution_started_event_attributes
            yield Replayed(
                history.workflow_id,
                begun.workflow_type.name,
                begun.original_execution_run_id,
                result.replay_failure,
            )


# ── where histories come from ───────────────────────────────────────────────────────


async def newest(
    client: Client,
    workflows: Sequence[type],
    at_most: int,
    *,
    only_open: bool = False,
    pinned: bool = False,
) -> AsyncIterator[WorkflowHistory]:
    """The `at_most` newest histories of each workflow type, open ones first, and open
    ones of types that this code does not have. Without `pinned` those are left out that
    stay on the build they began on: they never meet this code."""
    narrowed = [OPEN] * only_open + [NOT_PINNED] * (not pinned)
    for kind in _kinds(workflows):
        query = " AND ".join([kind, *narrowed])
        async for found in client.list_workflows(query, limit=at_most):
            history = await _history(client, found.id, found.run_id)
            if history is not None:
                yield history


def _kinds(workflows: Sequence[type]) -> Iterator[str]:
    names = sorted(_type(workflow) for workflow in workflows)
    yield from (f"WorkflowType = '{name}'" for name in names)
    ours = ", ".join(f"'{name}'" for name in names)
    yield f"WorkflowType NOT IN ({ours}) AND {OPEN}"


def _type(workflow: type) -> str:
    """The name by which Temporal knows it."""
    return str(vars(workflow)["__temporal_workflow_definition"].name)


async def _history(client: Client, id: str, run: str) -> WorkflowHistory | None:
    try:
        return await client.get_workflow_handle(id, run_id=run).fetch_history()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None  # its retention ended after it was listed


async def recorded(paths: Sequence[Path]) -> AsyncIterator[WorkflowHistory]:
    """Histories in files and directories. Raises `CannotTell` if there are none, or a
    file is no history."""
    files = [file for path in paths for file in _files(path)]
    if not files:
        raise CannotTell(f"No history (*.json) in {', '.join(map(str, paths))}.")
    for file in files:
        try:
            yield WorkflowHistory.from_json(file.stem, file.read_text())
        except (OSError, ValueError, ParseError) as error:
            raise CannotTell(f"{file} is no history: {error}") from error


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.json")) if path.is_dir() else [path]
