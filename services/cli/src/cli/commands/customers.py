"""Customers: all we keep about them is in their orders, and can be erased."""

from typing import Annotated

import typer

from cli.display import done
from cli.options import KeyOption, Output, OutputOption
from cli.session import session

app = typer.Typer(help="Erase a customer's personal data.", no_args_is_help=True)


@app.callback()
def customers() -> None:
    """Customers' personal data."""


@app.command("erase")
def erase_customer(
    customer: Annotated[
        str,
        typer.Argument(metavar="CUSTOMER", help="The customer's id on their orders."),
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Skip the question whether you are sure.")
    ] = False,
    key: KeyOption = None,
    output: OutputOption = Output.table,
) -> None:
    """Erase a customer's personal data from all their orders, for good.

    Refused while one of them has work left."""
    if not yes:
        typer.confirm("This cannot be undone. Erase?", abort=True, err=True)
    answer = session().api.command("/v1/erasures", {"customer_id": customer}, key)
    orders = answer["orders"]
    done(answer, output, f"Erased from {orders} orders, now of {answer['id']}.")
