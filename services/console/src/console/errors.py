"""Error pages."""

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from console.api import FORBIDDEN, NOT_FOUND, UNAUTHENTICATED, ApiProblem, Unreachable
from console.customer.errors import error_page, is_customers
from console.customer.visitor import NoLink
from console.person import SignInNeeded
from console.session import TooLarge
from console.sign_in import AnswerRefused, SignInFailed
from console.templating import page
from console.words import next_step_of

log = logging.getLogger(__name__)


Handler = Callable[[Request, Exception], Awaitable[Response]]


def install_error_pages(app: FastAPI) -> None:
    for error, handler in {
        SignInNeeded: _sign_in,
        ApiProblem: _problem,
        Unreachable: _unreachable,
        SignInFailed: _no_sign_in,
        TooLarge: _too_large,
        NoLink: _unexpected,
        HTTPException: _http,
        RequestValidationError: _invalid,
        Exception: _unexpected,
    }.items():
        app.add_exception_handler(error, _unless_customers(handler))


def _unless_customers(staffs: Handler) -> Handler:
    """Customers see nothing meant for staff, such as the way to sign in."""

    async def handle(request: Request, error: Exception) -> Response:
        if is_customers(request):
            return error_page(request, error)
        return await staffs(request, error)

    return handle


async def _sign_in(request: Request, _: Exception) -> Response:
    """Send a page to the issuer and back. A script gets an answer instead and asks, so
    that nothing typed is lost."""
    if (
        "hx-request" in request.headers
        or request.headers.get("sec-fetch-dest") == "empty"
    ):
        return Response(status_code=401, headers={"HX-Trigger": "signed-out"})
    where = request.url.path if request.method == "GET" else "/"
    if request.url.query and request.method == "GET":
        where += f"?{request.url.query}"
    return RedirectResponse(f"/sign-in?{urlencode({'next': where})}", 303)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)  # noqa: S101 - registered for nothing else
    if error.status == UNAUTHENTICATED:
        return await _sign_in(request, error)
    if error.status == NOT_FOUND:
        return _shown(request, 404, "There is no such thing here", error.detail)
    if error.status == FORBIDDEN:
        wanted = " or ".join(error.document.get("scopes", []))
        return _shown(
            request,
            403,
            "This is not yours to see",
            f"It needs {wanted}. Who gives out rights can grant it." if wanted else "",
        )
    return _shown(
        request,
        error.status,
        error.title,
        error.detail,
        next_step_of(error.code),
    )


async def _unreachable(request: Request, _: Exception) -> Response:
    return _shown(
        request,
        503,
        "The order service does not answer",
        "Nothing was lost. Try again in a moment.",
    )


async def _no_sign_in(request: Request, error: Exception) -> Response:
    log.warning("somebody could not sign in: %s", error)
    status = 400 if isinstance(error, AnswerRefused) else 502
    return _shown(request, status, "Signing in did not work", f"{error}.", again=True)


async def _too_large(request: Request, error: Exception) -> Response:
    log.error("the issuer's tokens do not fit into a cookie: %s", error)
    return _shown(
        request,
        502,
        "Signing in did not work",
        "The issuer's tokens are too large for a browser's cookie.",
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    title = "There is no such page" if error.status_code == 404 else str(error.detail)
    return _shown(request, error.status_code, title, "")


async def _unexpected(request: Request, _: Exception) -> Response:
    """The traceback is in the log."""
    return _shown(request, 500, "This page failed", "It is our fault, and logged.")


async def _invalid(request: Request, _: Exception) -> Response:
    return _shown(request, 422, "This form is not complete", "Go back and fill it in.")


def _shown(
    request: Request,
    status: int,
    title: str,
    detail: str,
    next_step: str = "",
    *,
    again: bool = False,
) -> Response:
    return page(
        request,
        "error.html",
        status_code=status,
        title=title,
        detail=detail,
        next_step=next_step,
        again=again,
    )
