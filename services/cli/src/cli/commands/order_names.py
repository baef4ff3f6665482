"""Which order an argument means: people use numbers and references."""

from typing import Annotated

import typer

from cli.problems import CliError
from cli.session import session


class NoName(CliError):
    """An empty argument would mean every order to a list."""

    def __init__(self) -> None:
        super().__init__("An order has an empty name.\n→ Is a shell variable not set?")


def order_id(order: str) -> str:
    """The order's id, also by its number. Raises `CliError`."""
    if not order:
        raise NoName
    if order.startswith("ord_"):
        return order
    found = session().api.get("/v1/orders", q=order, limit=2)["data"]
    if not found:
        raise CliError(f"No order has the number or reference {order!r}.")
    if len(found) > 1:
        ids = ", ".join(one["id"] for one in found)
        raise CliError(
            f"One order has the number {order}, and another one has it as its"
            f" reference.\n→ Name the one you mean by its id: {ids}"
        )
    return str(found[0]["id"])


def only(ids: list[str], what: str) -> str:
    """The one id. Raises `CliError` if there is none, or several."""
    match ids:
        case [one]:
            return one
        case []:
            raise CliError(f"There is no {what}.")
    raise CliError(
        f"There is more than one {what}.\n→ Name the one you mean: {', '.join(ids)}"
    )


ListedOrderArgument = Annotated[
    str | None, typer.Argument(metavar="ORDER", help="Only those of this order.")
]
ListedOrderOption = Annotated[
    str | None, typer.Option("--order", help="The same, as an option.")
]


def listed_order(argument: str | None, option: str | None) -> str | None:
    """The order that a list is of, whichever way it was named. Raises `CliError`."""
    order = option if argument is None else argument
    if order == "":
        raise NoName
    return order
