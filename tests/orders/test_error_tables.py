"""Every error of the providers' installed SDKs stands in a table: an update that brings
a new one fails here, before a payment meets it."""

import inspect
import json
import re
from typing import Any

import pytest
import stripe
from easypost import requestor
from easypost.errors import api as easypost_api
from easypost.errors.api.api_error import ApiError
from easypost.errors.api.unknown_api_error import UnknownApiError
from worker.orders.adapters import easypost_errors, stripe_errors

SDK: Any = stripe
"""Its errors have no annotations."""


def test_every_code_of_stripes_sdk_stands_in_the_table_once() -> None:
    source = inspect.getsource(stripe.PaymentIntent.LastPaymentError)
    listed = re.search(r"code: Optional\[.*?Literal\[(.*?)\]", source, re.DOTALL)
    assert listed is not None
    known = set(re.findall(r'"(\w+)"', listed[1]))
    table = [c for codes in stripe_errors._CODES.values() for c in codes.split()]
    assert len(known) > 150
    assert sorted(table) == sorted(known)


def test_every_status_that_stripes_sdk_tells_apart_stands_in_the_table() -> None:
    source = inspect.getsource(stripe._api_requestor._APIRequestor)
    known = {int(status) for status in re.findall(r"rcode == (\d{3})", source)}
    known |= {int(s) for s in re.findall(r"\d{3}", "".join(_listed(source)))}
    assert {400, 401, 402, 403, 404, 429} <= known <= stripe_errors.STATUSES.keys()


def _listed(source: str) -> list[str]:
    return re.findall(r"rcode in \[([\d, ]+)\]", source)


def test_every_class_of_easyposts_sdk_stands_in_the_table() -> None:
    known = {
        found.__name__
        for found in vars(easypost_api).values()
        if inspect.isclass(found) and issubclass(found, ApiError)
    }
    known |= {c.__name__ for c in requestor.STATUS_CODE_TO_ERROR_MAPPING.values()}
    assert easypost_errors.CLASSES.keys() == known - {"ApiError"}


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (SDK.InvalidRequestError("", None, "amount_too_large", "", 400), "refused"),
        (SDK.InvalidRequestError("", None, None, "", 400), "refused"),
        (SDK.CardError("", None, "card_declined", "", 402), "refused"),
        (SDK.InvalidRequestError("", None, "brand_new", "", 400), "unknown"),
        (SDK.InvalidRequestError("", None, "lock_timeout", "", 400), "later"),
        (SDK.RateLimitError("", "", 400), "later"),
        (SDK.RateLimitError("", "", 429), "later"),
        (SDK.AuthenticationError("", "", 401), "later"),
        (SDK.PermissionError("", "", 403), "later"),
        (SDK.IdempotencyError("", "", 400), "spent"),
        (SDK.APIError("", "", 409), "later"),
        (SDK.APIError("", "", 500), "later"),
        (SDK.APIError("", "", 418), "unknown"),
        (SDK.APIConnectionError("no route"), "later"),
    ],
)
def test_what_an_error_of_stripes_means(error: stripe.StripeError, meant: str) -> None:
    assert stripe_errors.judge(error) == meant


@pytest.mark.parametrize(
    ("status", "code", "meant"),
    [
        (422, "SHIPMENT.INVALID", "refused"),
        (402, "PAYMENT", "refused"),
        (422, "RATE_LIMITED", "later"),
        (401, None, "later"),
        (502, None, "later"),
        (418, None, "unknown"),
    ],
)
def test_what_an_error_of_easyposts_means(
    status: int, code: str | None, meant: str
) -> None:
    kind = requestor.STATUS_CODE_TO_ERROR_MAPPING.get(status, UnknownApiError)
    body = json.dumps({"error": {"code": code}})
    error = kind("", http_status=status, http_body=body)
    assert easypost_errors.judge(error) == meant
