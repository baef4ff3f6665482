"""`uv run orders …`: the operators' command line, over the HTTP API."""

from typing import Annotated

import typer

from cli import session
from cli.commands import (
    audit,
    contact,
    customers,
    discrepancies,
    disputes,
    export,
    holds,
    listening,
    locations,
    order_commands,
    orders,
    paper,
    products,
    returns,
    shipments,
    shipping,
    stock,
    webhook_endpoints,
)

# Typer keeps the ends of lines, wherever the terminal breaks them again.
ENVIRONMENT = "\n\n".join(
    (
        "The environment says where and who:",
        "ORDERS_API_URL: the API, http://127.0.0.1:8000 if not set.",
        "ORDERS_TOKEN: an access token; `uv run dev --auth` prints some. On a"
        " development stack without --auth ORDERS_USER and ORDERS_SCOPES say who you"
        " are instead.",
        "ORDERS_PATIENCE: seconds for which a command is repeated while the service is"
        " not available, 30 if not set.",
        "--install-completion teaches your shell the commands.",
    )
)

app = typer.Typer(
    name="orders",
    help="Look at orders and work on them.",
    epilog=ENVIRONMENT,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(orders.app)
app.add_typer(order_commands.app)
app.add_typer(export.app)
app.add_typer(contact.app)
app.add_typer(holds.app, name="holds")
shipments.app.add_typer(paper.app)
app.add_typer(shipments.app, name="shipments")
app.add_typer(returns.app, name="returns")
app.add_typer(stock.app, name="stock")
app.add_typer(locations.app, name="locations")
app.add_typer(products.app, name="products")
app.add_typer(shipping.app, name="shipping")
app.add_typer(discrepancies.app, name="discrepancies")
app.add_typer(disputes.app, name="disputes")
app.add_typer(audit.app, name="audit")
app.add_typer(customers.app, name="customers")
app.add_typer(webhook_endpoints.app, name="webhook-endpoint")
app.add_typer(listening.app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("cli"))
        raise typer.Exit


@app.callback()
def begin(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Look at orders and work on them."""
    opened = session.begin()
    context.call_on_close(opened.close)
