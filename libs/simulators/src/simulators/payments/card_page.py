"""A page where a buyer chooses a card, as a shop's own has it with Stripe's form in it:
it leads back with the id of the payment method."""

from html import escape
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from simulators.payments.answers import invalid
from simulators.payments.cards import CARDS

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Test cards</title>
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<h1>Choose a test card</h1>
<ul>{cards}</ul>
</html>
"""


def card_routes() -> APIRouter:
    router = APIRouter()

    @router.get("/_sim/card")
    async def page(request: Request, back: str) -> HTMLResponse:
        """`back` is where the buyer came from, on this machine."""
        if urlsplit(back).hostname != request.url.hostname:
            raise invalid("It leads back to this machine alone.", "back")
        cards = "".join(_link(back, method) for method in CARDS)
        return HTMLResponse(PAGE.format(cards=cards))

    return router


def _link(back: str, method: str) -> str:
    separator = "&" if "?" in back else "?"
    url = f"{back}{separator}{urlencode({'payment_method': method})}"
    return f'<li><a href="{escape(url)}">{escape(method)}</a></li>\n'
