"""Error pages for customers, with what to do next."""

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from console.api import NOT_FOUND, UNAUTHENTICATED, ApiProblem, Unreachable
from console.customer.language import page
from console.customer.visitor import NoLink

_PLACES = ("/o/", "/yours/")


def is_customers(request: Request) -> bool:
    return request.url.path.startswith(_PLACES)


def error_page(request: Request, error: Exception) -> Response:
    kind, status = _kind(error)
    if isinstance(error, ApiProblem) and "language" in error.document:
        request.state.language = error.document["language"]
    code = error.code if isinstance(error, ApiProblem) else ""
    answer = page(request, "error.html", status_code=status, kind=kind, problem=code)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _kind(error: Exception) -> tuple[str, int]:
    """The texts to use, and the status."""
    if isinstance(error, NoLink):
        return "no-link", UNAUTHENTICATED
    if isinstance(error, ApiProblem):
        if error.code == "link-expired":
            return "over", error.status
        kinds = {UNAUTHENTICATED: "no-link", NOT_FOUND: "missing"}
        return kinds.get(error.status, "refused"), error.status
    if isinstance(error, Unreachable):
        return "down", 503
    if isinstance(error, HTTPException):
        return "missing", error.status_code
    if isinstance(error, RequestValidationError):
        return "refused", 422
    return "failed", 500
