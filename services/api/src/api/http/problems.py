"""Every error as a problem document (RFC 9457); the codes are stable.

Problem                 raised by the API itself
shared Refusal          raised where a business rule says no, here or in the worker
RequestValidationError  raised by FastAPI: the request does not fit its schema
anything else           a 500 that shows a trace id and nothing more
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from asyncpg import PostgresError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic_core import to_json
from shared.contracts.errors import Refusal, refusal_extra
from shared.platform.settings import without_prefix
from starlette.exceptions import HTTPException
from starlette.routing import Match
from temporalio.exceptions import ApplicationError

from api.http.forms import FORMS
from api.http.trace_ids import trace_id

log = logging.getLogger(__name__)

PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "idempotency-key-missing": (400, "The Idempotency-Key header is missing"),
    "invalid-signature": (400, "The signature is not valid"),
    "unauthenticated": (401, "No valid access token"),
    "link-expired": (401, "The link has expired"),
    "insufficient-scope": (403, "The access token does not allow this"),
    "four-eyes": (403, "The person who caused this cannot decide it"),
    "not-found": (404, "Not found"),
    "unknown-source": (404, "This API takes no webhooks from that source"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "not-acceptable": (406, "This resource has no such format"),
    "request-timeout": (408, "The client sent the request too slowly"),
    "already-released": (409, "Already decided"),
    "too-many-endpoints": (409, "The limit of webhook endpoints is reached"),
    "wrong-state": (409, "The current state does not allow this"),
    "version-mismatch": (412, "The order has changed since the ETag was read"),
    "too-large": (413, "The request is too large"),
    "unsupported-media-type": (415, "This API reads application/json only"),
    "cursor-ahead": (422, "The cursor is ahead of the feed"),
    "decision-not-allowed": (422, "The hold does not allow this decision"),
    "insecure-endpoint": (422, "Webhooks are sent by https only"),
    "private-address": (422, "Webhooks are sent to public addresses only"),
    "unknown-event-type": (422, "No event has this type"),
    "weak-secret": (422, "The secret is not long enough"),
    "idempotency-key-reused": (422, "The key was used for another request"),
    "validation": (422, "The request does not fit its description"),
    "precondition-required": (428, "The If-Match header is missing"),
    "too-many-requests": (429, "Too many requests"),
    "head-too-large": (431, "The URL and headers are too large"),
    "internal": (500, "The API failed"),
    "unavailable": (503, "A system behind the API does not answer"),
}
"""Code → status and title; processes declare more. A code is never renamed: callers
decide on it."""


def declare_problems(problems: Mapping[str, tuple[int, str]]) -> None:
    """Add a process's codes. Raises `ValueError` for a code that exists."""
    if taken := PROBLEMS.keys() & problems.keys():
        raise ValueError(f"declared twice: {', '.join(sorted(taken))}")
    PROBLEMS.update(problems)


_BY_STATUS = {
    400: "malformed",
    401: "unauthenticated",
    403: "insufficient-scope",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "request-timeout",
    413: "too-large",
    415: "unsupported-media-type",
    429: "too-many-requests",
    503: "unavailable",
}
_SHOWN_ERRORS = 50
_LONGEST_POINTER = 200
RETRY_AFTER_SECONDS = 2


class Problem(HTTPException):
    """`Problem("not-found", "There is no hold hld_…")`; `extra` are further members."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(PROBLEMS[code][0], detail, dict(headers or {}))
        self.code = code
        self.extra = extra


class Unavailable(Problem):
    """The request is fine and may be sent again later."""

    def __init__(self, detail: str) -> None:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        super().__init__("unavailable", detail, headers=headers)


class FieldError(BaseModel):
    """`pointer` leads to the field; `query:` and `header:` name those."""

    pointer: str
    code: str
    detail: str


class ProblemDocument(BaseModel):
    """The members that every problem has; some codes add their own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    trace_id: str
    errors: list[FieldError] | None = None


def invalid(pointer: str, code: str, detail: str) -> Problem:
    """A request that fits its schema and still makes no sense."""
    error = FieldError(pointer=pointer, code=code, detail=detail)
    return Problem("validation", detail, errors=[error.model_dump()])


def from_refusal(refusal: ApplicationError) -> Problem:
    """Translate a business refusal, whoever raised it."""
    code = refusal.type or "internal"
    if code == "PayloadValidationError":
        return Problem("validation", "The command does not fit its description.")
    if code not in PROBLEMS:
        log.error("a refusal with an unknown code: %s", code)
        return Problem("internal", "Something went wrong here.")
    return Problem(code, refusal.message, **refusal_extra(refusal))


def problem_response(request: Request, problem: Problem) -> Response:
    base = request.app.state.settings.public_url
    return Response(
        problem_document(base, problem, instance=request.scope["path"]),
        problem.status_code,
        media_type="application/problem+json",
        headers=problem.headers,
    )


def problem_document(base: str, problem: Problem, *, instance: str) -> bytes:
    status, title = PROBLEMS[problem.code]
    document: dict[str, Any] = {
        "type": f"{base}/problems/{problem.code}",
        "title": title,
        "status": status,
        "detail": problem.detail,
        "instance": instance,
        "trace_id": trace_id(),
    }
    # The members that all problems have mean the same in each of them.
    return to_json(problem.extra | document, inf_nan_mode="null")


def install_error_handlers(
    app: FastAPI, unavailable: Iterable[type[Exception]]
) -> None:
    """Errors in `unavailable` become 503, unless PostgreSQL has refused a statement."""
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(RequestValidationError, _validation)
    for failure in unavailable:
        app.add_exception_handler(failure, _database)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    if not isinstance(error, Problem):
        code = _BY_STATUS.get(error.status_code, "malformed")
        detail = HTTPStatus(error.status_code).description or error.detail
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = _allowed(request)
        error = Problem(code, detail, headers=headers)
    return problem_response(request, error)


def _allowed(request: Request) -> str:
    """All methods of the address: Starlette names only those of the first route."""
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]
    return ", ".join(found).replace("GET", "GET, HEAD")


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - registered for nothing else
    return problem_response(request, from_refusal(error))


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
    mistakes = error.errors()
    if any(mistake["type"] == "json_invalid" for mistake in mistakes):
        problem = Problem("malformed", "The body is not valid JSON.")
    else:
        count = len(mistakes)
        problem = Problem(
            "validation",
            f"{count} field{'' if count == 1 else 's'} must be corrected.",
            errors=[_field_error(m).model_dump() for m in mistakes[:_SHOWN_ERRORS]],
        )
    return problem_response(request, problem)


def _field_error(mistake: Mapping[str, Any]) -> FieldError:
    # Without "input" and "ctx", which hold what the caller sent, maybe personal data.
    return FieldError(
        pointer=_pointer(mistake["loc"]), code=mistake["type"], detail=_said(mistake)
    )


def _said(mistake: Mapping[str, Any]) -> str:
    if mistake["type"] != "string_pattern_mismatch":
        said = without_prefix(mistake["msg"])
        return said[:1].upper() + said[1:]
    meaning = FORMS.get(mistake["ctx"]["pattern"], "of another form")
    return f"Value must be {meaning}"


def _pointer(location: Sequence[int | str]) -> str:
    place, *path = (_escape(str(part)) for part in location)
    if place == "body":
        return ("#" + "".join(f"/{part}" for part in path))[:_LONGEST_POINTER]
    return f"{place}:{'/'.join(path)}"[:_LONGEST_POINTER]


def _escape(part: str) -> str:
    # RFC 6901; and an unknown field's name may hold what no JSON text can.
    part = part.encode("utf-8", "replace").decode()
    return part.replace("~", "~0").replace("/", "~1")


async def _database(request: Request, error: Exception) -> Response:
    if isinstance(error, PostgresError) and not _is_outage(error):
        raise error
    log.warning("a request could not be served: %r", error)
    return problem_response(request, Unavailable("Please try again shortly."))


# Connection failures, too many connections, a shutdown, a statement that took too long;
# and wrong credentials or a missing database, which are no request's fault either.
_OUTAGE_STATES = ("08", "53", "57P", "57014", "40001", "40P01", "28", "3D000")


def _is_outage(error: PostgresError) -> bool:
    return str(error.sqlstate).startswith(_OUTAGE_STATES)
