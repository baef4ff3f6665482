"""What is accepted of a request that fits its schema, by who sends it."""

from collections.abc import Mapping, Sequence

from api.http.auth import Principal
from api.http.problems import Problem, invalid
from api.orders.order.schemas import NewOrder, NewPayment

Tariffs = Mapping[tuple[str, str, str], int]
"""What shipping costs, by method, country (`*`: any other) and currency."""


def check_customers_order(
    caller: Principal, wanted: NewOrder, tariffs: Tariffs
) -> None:
    """A customer neither speaks for the shop nor says what shipping costs. A service
    does. Raises `Problem`."""
    if caller.may("orders:write"):
        return
    if wanted.external_ref is not None or wanted.metadata:
        raise Problem(
            "insufficient-scope", "external_ref and metadata are for the shop."
        )
    method, currency = wanted.shipping.method, wanted.currency
    price = shipping_price(tariffs, method, wanted.ship_to.country, currency)
    if price is None:
        raise invalid("#/shipping/method", "not-offered", "Not offered to this country")
    if price != wanted.shipping.amount.amount:
        raise Problem(
            "price-changed",
            "Shipping there has another price.",
            shipping={"amount": price, "currency": currency},
        )


def shipping_price(
    tariffs: Tariffs, method: str, country: str, currency: str
) -> int | None:
    """In minor units; `None` where it is not offered."""
    anywhere = tariffs.get((method, "*", currency))
    return tariffs.get((method, country, currency), anywhere)


def check_return_url(payment: NewPayment, origins: Sequence[str], pointer: str) -> None:
    """The buyer's browser is sent there by the provider, in the shop's name: only to
    the shop itself. `pointer` leads to the field. Raises `Problem`."""
    url = payment.return_url
    if url is None or any(_is_of(url, origin) for origin in origins):
        return
    raise invalid(pointer, "not-allowed", "Must begin with one of the shop's origins")


def _is_of(url: str, origin: str) -> bool:
    """Compared as text, so that no two readers of an address can disagree."""
    return url.startswith(origin) and url[len(origin) :][:1] in ("", "/", "?", "#")


def check_provider_customer(
    caller: Principal, payment: NewPayment, pointer: str
) -> None:
    """With somebody else's customer go somebody else's saved cards. Raises `Problem`
    insufficient-scope."""
    if payment.customer is not None and not caller.may("orders:write"):
        raise Problem("insufficient-scope", f"Only a service may give {pointer}.")
