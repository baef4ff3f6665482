"""Products: what is sold, and for how much."""

import re
from typing import Annotated
from urllib.parse import quote

import typer

from cli.display import Column, done, field, show_list, show_one
from cli.options import LimitOption, Output, OutputOption, WatchOption, money, shown
from cli.problems import Json
from cli.session import session

app = typer.Typer(help="Products and their prices.", no_args_is_help=True)

COLUMNS: tuple[Column, ...] = (
    ("sku", field("sku")),
    ("name", field("name")),
    ("price", lambda p: [shown(p["price"]), *_more(p)]),
    ("tax", lambda p: f"{p['tax_bp'] / 100:g} %"),
    ("back-order", field("backorder")),
    ("returnable", field("returnable")),
    ("active", field("active")),
    ("customs", lambda p: [p[n] for n in ("hs_code", "origin") if p.get(n)]),
)


def _more(product: Json) -> list[str]:
    return [shown(more["price"]) for more in product.get("prices", [])]


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
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CURRENCY=PRICE[@TAX]",
            help="CHF=13.90, or CHF=13.90@2.6 with a tax of its own. Repeat for each"
            " further currency; without it they stay as they are.",
        ),
    ] = None,
    tax: Annotated[float, typer.Option(min=0, max=100, help="Percent.")] = 0.0,
    backorder: Annotated[
        bool, typer.Option(help="Accept orders while the product is out of stock.")
    ] = False,
    returnable: Annotated[bool, typer.Option()] = True,
    active: Annotated[bool, typer.Option()] = True,
    hs_code: Annotated[
        str | None, typer.Option(help="The tariff number that customs ask for.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(help="The country it was made in, such as IN.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Create a product or replace it. Orders keep the price they were placed at."""
    body: Json = {
        "name": name,
        "price": money(price, currency),
        "tax_bp": round(tax * 100),
        "backorder": backorder,
        "returnable": returnable,
        "active": active,
        "hs_code": hs_code,
        "origin": origin,
    }
    if also is not None:
        body["prices"] = [_price(text) for text in also]
    product = session().api.put(_path(sku), body)
    prices = ", ".join([shown(product["price"]), *_more(product)])
    done(product, output, f"{sku} costs {prices}.")


def _price(text: str) -> Json:
    found = re.fullmatch(r"([A-Z]{3})=([^@]+)(?:@(\d{1,2}(?:\.\d{1,2})?))?", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not CURRENCY=PRICE, such as CHF=13.90")
    tax = None if found[3] is None else round(float(found[3]) * 100)
    return {"price": money(found[2], found[1]), "tax_bp": tax}
