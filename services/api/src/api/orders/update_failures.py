"""What becomes of a command whose Update failed."""

import logging
from collections.abc import Iterator

from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from api.http.problems import PROBLEMS, Unavailable

log = logging.getLogger(__name__)

UNKNOWN_UPDATE = "expected but not found"
"""How the SDK refuses an Update that the workflow does not have."""
ENDED_UNDER_IT = "AcceptedUpdateCompletedWorkflow"
"""How the server fails an accepted Update when its workflow is terminated or begins a
new run."""


class NoAnswer(Unavailable):
    """No worker answered in time; the command may still be carried out."""

    def __init__(self) -> None:
        super().__init__("The order's workflow does not answer; please repeat.")


class NeedsNewerBuild(Unavailable):
    """An older build looks after the order, and would not carry the command out, or
    not as it is meant."""

    def __init__(self) -> None:
        super().__init__(
            "An older release still looks after this order and cannot do this yet:"
            " please repeat once the order was taken over."
        )


class NoWorkflow(Exception):
    """There is no workflow, or it ended before it had carried the command out."""


class UnknownUpdate(Exception):
    """The workflow is of a build that has no such command."""


def is_in_flight(failed: WorkflowUpdateFailedError) -> bool:
    return any(error.type == "step-in-flight" for error in _causes(failed))


def _causes(failed: WorkflowUpdateFailedError) -> Iterator[ApplicationError]:
    cause: BaseException | None = failed.cause
    while cause is not None:
        if isinstance(cause, ApplicationError):
            yield cause
        cause = cause.__cause__


def failure_of(
    failed: WorkflowUpdateFailedError,
) -> ApplicationError | Unavailable | NoWorkflow | UnknownUpdate:
    """The business refusal, from the bottom of the chain of causes."""
    for cause in _causes(failed):
        if cause.type in {*PROBLEMS, "PayloadValidationError"}:
            return cause
        if cause.type == ENDED_UNDER_IT:
            return NoWorkflow()
        if UNKNOWN_UPDATE in cause.message:
            return UnknownUpdate()
    log.warning("a command failed in the workflow: %r", failed.cause)
    return NoAnswer()
