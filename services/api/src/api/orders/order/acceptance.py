"""What is accepted of a request that fits its schema, by who sends it."""

from collections.abc import Sequence

from api.http.problems import invalid
from api.orders.order.schemas import NewPayment


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
