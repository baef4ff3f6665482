"""The bank's page: the customer confirms a payment there, or does not."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from simulators.database import Database
from simulators.payments.answers import Json, invalid
from simulators.payments.authorization import approved, back_to_start
from simulators.payments.form import decode_form
from simulators.payments.intents import unexpected_state
from simulators.payments.objects import public
from simulators.payments.provider import Cause, Provider

FORM = "application/x-www-form-urlencoded"
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Test bank</title>
<h1>Test bank</h1><p>Confirm the payment {intent_id}?</p>
<form method="post">
<button name="succeed" value="true">Confirm</button>
<button name="succeed" value="false">Refuse</button>
</form></html>
"""


def authenticate(provider: Provider, intent_id: str, succeed: bool) -> Json:
    """What the customer decided. Raises StripeError unless the intent waits for it."""
    intent = provider.objects.get("payment_intent", intent_id)
    if intent["status"] != "requires_action":
        raise unexpected_state(intent, "authenticate", ("requires_action",))
    method = provider.objects.get("payment_method", intent["payment_method"])
    if succeed:
        return approved(provider, intent, method, authenticated=True)
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "message": "The provided payment method has failed authentication.",
        "payment_method": public(method),
    }
    back_to_start(provider, intent, error)
    return intent


def bank_routes(database: Database, provider: Provider) -> APIRouter:
    """The page for people, and the same decision as JSON for programs."""
    path = "/_sim/payment_intents/{intent_id}/authenticate"
    router = APIRouter()

    @router.get(path)
    async def page(intent_id: str) -> HTMLResponse:
        intent = provider.objects.get("payment_intent", intent_id)
        return HTMLResponse(PAGE.format(intent_id=intent["id"]))

    @router.post(path)
    async def decide(request: Request, intent_id: str) -> Response:
        """`{"succeed": true|false}` answers the intent; the page's form redirects."""
        by_form = request.headers.get("Content-Type", "").startswith(FORM)
        succeed = _decision(
            decode_form(await request.body()) if by_form else await request.json()
        )
        before = provider.objects.get("payment_intent", intent_id)
        cause = Cause(base_url=str(request.base_url))
        with provider.running(cause), database.transaction():
            after = authenticate(provider, intent_id, succeed)
        if by_form and (url := _return_url(before, succeed)):
            return RedirectResponse(url, status_code=303)
        return JSONResponse(public(after))

    return router


def _decision(body: Any) -> bool:
    match body:
        case {"succeed": True | "true"}:
            return True
        case {"succeed": False | "false"}:
            return False
    raise invalid("Expected `succeed`, true or false.", "succeed")


def _return_url(before: Json, succeed: bool) -> str | None:
    action = (before["next_action"] or {}).get("redirect_to_url")
    if action is None:
        return None
    query = urlencode(
        {
            "payment_intent": before["id"],
            "payment_intent_client_secret": before["client_secret"],
            "redirect_status": "succeeded" if succeed else "failed",
        }
    )
    separator = "&" if "?" in action["return_url"] else "?"
    return f"{action['return_url']}{separator}{query}"
