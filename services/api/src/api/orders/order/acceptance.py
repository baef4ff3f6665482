"""Checks by the caller what a valid request may say."""

from collections.abc import Sequence

from api.http.auth import Principal
from api.http.problems import Problem, invalid
from api.orders.order.schemas import NewOrder, NewPayment


def check_customers_order(caller: Principal, wanted: NewOrder) -> None:
    """Customers may not use what only services may. Raises `Problem`."""
    if caller.may("orders:write"):
        return
    if wanted.external_ref is not None or wanted.metadata:
        raise Problem(
            "insufficient-scope", "external_ref and metadata are for the shop."
        )


def check_return_url(
    payment: NewPayment | None, origins: Sequence[str], pointer: str
) -> None:
    """The provider sends the buyer's browser there, in the shop's name, so it must be
    the shop itself. `pointer` leads to the field. Raises `Problem`."""
    url = None if payment is None else payment.return_url
    if url is None or any(_is_of(url, origin) for origin in origins):
        return
    raise invalid(pointer, "not-allowed", "Must begin with one of the shop's origins")


def _is_of(url: str, origin: str) -> bool:
    """Compared as text, so that no two URL parsers can disagree."""
    return url.startswith(origin) and url[len(origin) :][:1] in ("", "/", "?", "#")


def check_provider_customer(
    caller: Principal, payment: NewPayment | None, pointer: str
) -> None:
    """Another customer's id would give access to their saved cards. Raises `Problem`
    insufficient-scope."""
    customer = None if payment is None else payment.customer
    if customer is not None and not caller.may("orders:write"):
        raise Problem("insufficient-scope", f"Only a service may give {pointer}.")
