"""Charges: the record of one authorisation, successful or not."""

from simulators.payments.answers import Answer, Json
from simulators.payments.declines import MESSAGES, error_code
from simulators.payments.methods import card_of
from simulators.payments.objects import new_id
from simulators.payments.params import Params
from simulators.payments.provider import Provider

# Card networks differ and change: readers must use `capture_before`.
AUTHORIZATION_SECONDS = 7 * 24 * 3600


def new_charge(
    provider: Provider,
    intent: Json,
    method: Json,
    authenticated: bool = False,
    decline_code: str | None = None,
) -> Json:
    captured = decline_code is None and intent["capture_method"] != "manual"
    return provider.objects.add(
        {
            "id": new_id("charge"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if captured else 0,
            "amount_refunded": 0,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "captured": captured,
            "created": provider.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": decline_code and error_code(decline_code),
            "failure_message": decline_code and MESSAGES[decline_code],
            "livemode": False,
            "metadata": intent["metadata"],
            "outcome": _outcome(decline_code),
            "paid": decline_code is None,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {
                "type": "card",
                "card": _card_details(provider, intent, method, authenticated),
            },
            "refunded": False,
            "status": "succeeded" if decline_code is None else "failed",
        }
    )


def retrieve(provider: Provider, params: Params, charge_id: str) -> Answer:
    params.only()
    return Answer(200, provider.objects.get("charge", charge_id))


def list_all(provider: Provider, params: Params) -> Answer:
    filters = ("payment_intent", "customer")
    params.only(*filters, "created", "limit", "starting_after", "ending_before")
    page = provider.objects.page("charge", "/v1/charges", params, *filters)
    return Answer(200, page)


def _outcome(decline_code: str | None) -> Json:
    return {
        "network_status": "declined_by_network" if decline_code else "approved",
        "reason": decline_code,
        "type": "issuer_declined" if decline_code else "authorized",
    }


def _card_details(
    provider: Provider, intent: Json, method: Json, authenticated: bool
) -> Json:
    card = card_of(method)
    requested = intent["payment_method_options"].get("card", {})
    several = card.multicapture and (
        requested.get("request_multicapture") == "if_available"
    )
    details = {
        **method["card"],
        "amount_authorized": intent["amount"],
        "multicapture": {"status": "available" if several else "unavailable"},
        "three_d_secure": {"result": "authenticated"} if authenticated else None,
    }
    if intent["capture_method"] == "manual":
        seconds = (
            provider.terms.expiring_seconds
            if card.expires_soon
            else AUTHORIZATION_SECONDS
        )
        details["capture_before"] = int(provider.now() + seconds)
    return details
