"""Which of EasyPost's errors are final, and which only say "later".

Source: docs.easypost.com/docs/errors. The SDK has a class for each status and lists no
codes; `tests/orders/test_error_tables.py` fails as soon as it knows a class that is
missing here.
"""

from easypost.errors import api as errors

from worker.orders.adapters.verdicts import Verdict

ADDRESS = "ADDRESS."
"""How the codes begin that say that the address is wrong."""

CLASSES: dict[type[errors.ApiError], Verdict] = {
    errors.BadRequestError: Verdict.REFUSED,
    errors.ForbiddenError: Verdict.REFUSED,
    errors.InvalidRequestError: Verdict.REFUSED,
    errors.MethodNotAllowedError: Verdict.REFUSED,
    errors.NotFoundError: Verdict.REFUSED,
    # Our wallet is empty.
    errors.PaymentError: Verdict.REFUSED,
    errors.EncodingError: Verdict.LATER,
    errors.ExternalApiError: Verdict.LATER,
    errors.GatewayTimeoutError: Verdict.LATER,
    errors.HttpError: Verdict.LATER,
    errors.InternalServerError: Verdict.LATER,
    errors.JsonError: Verdict.LATER,
    errors.RateLimitError: Verdict.LATER,
    errors.ServiceUnavailableError: Verdict.LATER,
    errors.TimeoutError: Verdict.LATER,
    # Our key is wrong: it goes on once somebody has changed that.
    errors.UnauthorizedError: Verdict.LATER,
    errors.RedirectError: Verdict.UNKNOWN,
    errors.UnknownApiError: Verdict.UNKNOWN,
}

_LATER = ("CARRIER.CARRIER_TIMEOUT", "RATE_LIMITED")
"""Codes that say "later", whatever status they come with."""


def judge(error: errors.ApiError) -> Verdict:
    """What an error means for the purchase that it answers."""
    if error.code in _LATER:
        return Verdict.LATER
    if type(error) is errors.UnknownApiError and (error.http_status or 0) >= 500:
        return Verdict.LATER  # 502 and its like have no class of their own
    return CLASSES.get(type(error), Verdict.UNKNOWN)
