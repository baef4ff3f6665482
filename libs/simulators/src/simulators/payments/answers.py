"""What Stripe answers, and how it refuses.

    StripeError           nothing happened
    ├── invalid(…)        400, the request makes no sense; not kept under its key
    ├── refused(…)        400, it makes sense but not now; kept under its key
    └── missing(…)        404 or 400, no such object

A declined card is not among them: it is an Answer (402), because it changes the intent.
"""

from dataclasses import dataclass
from typing import Any

# An object as Stripe shows it. Names with a leading underscore stay inside.
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json


class StripeError(Exception):
    """A refusal without effect.

    kept: whether repeating the request under its idempotency key replays the refusal;
    Stripe keeps results only once an endpoint has begun to execute.
    """

    def __init__(self, status: int, kept: bool, **error: object) -> None:
        super().__init__(error.get("message"))
        self.kept = kept
        shown = {name: value for name, value in error.items() if value is not None}
        self.answer = Answer(status, {"error": shown})


def invalid(
    message: str, param: str | None = None, code: str | None = None
) -> StripeError:
    return StripeError(
        400,
        kept=False,
        type="invalid_request_error",
        message=message,
        param=param,
        code=code,
    )


def refused(message: str, code: str | None = None, **extra: object) -> StripeError:
    return StripeError(
        400,
        kept=True,
        type="invalid_request_error",
        message=message,
        code=code,
        **extra,
    )


def missing(kind: str, object_id: str, param: str | None = None) -> StripeError:
    """404 where the path names the object, 400 where a parameter (`param`) does."""
    return StripeError(
        404 if param is None else 400,
        kept=True,
        type="invalid_request_error",
        message=f"No such {kind}: '{object_id}'",
        param=param or "id",
        code="resource_missing",
    )


def server_error() -> Answer:
    message = "Something went wrong on the provider's side."
    return Answer(500, {"error": {"type": "api_error", "message": message}})


def refusal(status: int, code: str | None) -> Answer:
    """Whatever a fault wants, in Stripe's form."""
    if status == 429 and code is None:
        return _too_many_requests()
    if status == 500 and code is None:
        return server_error()
    kind = "card_error" if status == 402 else "invalid_request_error"
    error = {"type": kind, "code": code, "message": "A fault was switched on."}
    return Answer(status, {"error": {k: v for k, v in error.items() if v is not None}})


def _too_many_requests() -> Answer:
    error = {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Too many requests. Slow down and repeat this one later.",
    }
    return Answer(429, {"error": error})
