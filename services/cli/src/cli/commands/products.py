"""Products: what is sold, and for how much."""

from typing import Annotated
from urllib.parse import quote

import typer

from cli.display import Column, done, field, show_list, show_one
from cli.options import LimitOption, Output, OutputOption, WatchOption, money, shown
from cli.session import session

app = typer.Typer(help="Products and their prices.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("sku", field("sku")),
    ("name", field("name")),
    ("price", lambda p: shown(p["price"])),
    ("tax", lambda p: f"{p['tax_bp'] / 100:g} %"),
    ("back-order", field("backorder")),
    ("returnable", field("returnable")),
    ("active", field("active")),
)


def _path(sku: str) -> str:
    return f"/v1/products/{quote(sku, safe='')}"


@app.command("list")
def list_products(
    limit: LimitOption = 50,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List products by SKU."""
    show_list(
        lambda: session().api.rows("/v1/products", limit), COLUMNS, output, watch=watch
    )


@app.command("show")
def show_product(sku: str, output: OutputOption = Output.table) -> None:
    """Show a product."""
    show_one(session().api.get(_path(sku)), COLUMNS, output)


@app.command("put")
def put_product(
    sku: str,
    name: Annotated[str, typer.Option()],
    price: Annotated[str, typer.Option(help="With tax, such as 12.90.")],
    currency: Annotated[str, typer.Option()] = "EUR",
    tax: Annotated[float, typer.Option(min=0, max=100, help="Percent.")] = 0.0,
    backorder: Annotated[
        bool, typer.Option(help="Accept orders while the product is out of stock.")
    ] = False,
    returnable: Annotated[bool, typer.Option()] = True,
    active: Annotated[bool, typer.Option()] = True,
    output: OutputOption = Output.table,
) -> None:
    """Create a product or replace it. Orders keep the price they were placed at."""
    body = {
        "name": name,
        "price": money(price, currency),
        "tax_bp": round(tax * 100),
        "backorder": backorder,
        "returnable": returnable,
        "active": active,
    }
    product = session().api.put(_path(sku), body)
    done(product, output, f"{sku} costs {shown(product['price'])}.")
