"""Business refusals: final answers with a stable code that the API shows as they are.

Refusal            raised where a rule says no; never retried, changes nothing
└─ NotFound        the thing that a command names does not exist

StepInFlight       another step of the same order is at the provider now: retried
"""

from collections.abc import Mapping
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory


class Refusal(ApplicationError):
    """The rule `code` says no. `extra` are members of the problem document.

    `Refusal("already-shipped", "The goods have left.", cancellable=[])`
    """

    def __init__(self, code: str, detail: str, **extra: object) -> None:
        super().__init__(
            detail,
            dict(extra),
            type=code,
            non_retryable=True,
            # Expected in daily business, so the worker logs no stack trace.
            category=ApplicationErrorCategory.BENIGN,
        )


class NotFound(Refusal):
    def __init__(self, what: str) -> None:
        super().__init__("not-found", f"There is no {what}.")


def nothing_to_cancel(*, cancelled: bool) -> Refusal:
    """The refusal for an order that is over."""
    if cancelled:
        return Refusal("already-cancelled", "The order is cancelled already.")
    return Refusal(
        "already-shipped", "Everything has left the warehouse.", cancellable=[]
    )


def too_many_attempts() -> Refusal:
    return Refusal(
        "too-many-attempts", "It was tried too often: somebody of the shop has a look."
    )


class StepInFlight(ApplicationError):
    """Another step of this order is at the provider right now; try again shortly."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            detail, type="step-in-flight", category=ApplicationErrorCategory.BENIGN
        )


def refusal_extra(error: ApplicationError) -> Mapping[str, Any]:
    """The `extra` of a `Refusal`, read from the failure that crossed Temporal."""
    details = error.details
    return details[0] if details and isinstance(details[0], Mapping) else {}
