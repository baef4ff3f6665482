"""Which of EasyPost's errors are final, and which only say "later".

Source: docs.easypost.com/docs/errors. The SDK has a class for each status and lists no
codes; `tests/orders/test_error_tables.py` fails as soon as it knows a class that is
missing here.
"""

from easypost.errors.api.api_error import ApiError

from worker.orders.adapters.verdicts import Verdict

ADDRESS = "ADDRESS."
"""Prefixes of the codes for a wrong address."""

CLASSES: dict[str, Verdict] = {
    "BadRequestError": Verdict.REFUSED,
    "ForbiddenError": Verdict.REFUSED,
    "InvalidRequestError": Verdict.REFUSED,
    "MethodNotAllowedError": Verdict.REFUSED,
    "NotFoundError": Verdict.REFUSED,
    # Our wallet is empty.
    "PaymentError": Verdict.REFUSED,
    "EncodingError": Verdict.LATER,
    "ExternalApiError": Verdict.LATER,
    "GatewayTimeoutError": Verdict.LATER,
    "HttpError": Verdict.LATER,
    "InternalServerError": Verdict.LATER,
    "JsonError": Verdict.LATER,
    "RateLimitError": Verdict.LATER,
    "ServiceUnavailableError": Verdict.LATER,
    "TimeoutError": Verdict.LATER,
    # Our key is wrong: it goes on once somebody has changed that.
    "UnauthorizedError": Verdict.LATER,
    "RedirectError": Verdict.UNKNOWN,
    "UnknownApiError": Verdict.UNKNOWN,
}

_LATER = ("CARRIER.CARRIER_TIMEOUT", "RATE_LIMITED")
"""Codes that say "later", whatever status they come with."""


def judge(error: ApiError) -> Verdict:
    """What an error means for the purchase that it answers."""
    kind = type(error).__name__
    if error.code in _LATER:
        return Verdict.LATER
    if kind == "UnknownApiError" and (error.http_status or 0) >= 500:
        return Verdict.LATER  # 502 and its like have no class of their own
    return CLASSES.get(kind, Verdict.UNKNOWN)
