"""Shipping methods: how orders are sent, and for how much."""

import re
from typing import Annotated

import typer

from cli.display import Column, done, field, show_list, show_one, show_table
from cli.options import Output, OutputOption, WatchOption, money, shown
from cli.problems import CliError, Json
from cli.session import session

app = typer.Typer(help="Shipping methods, and what they cost.", no_args_is_help=True)


def _percent(tax_bp: int | None) -> str:
    return "the goods'" if tax_bp is None else f"{tax_bp / 100:g} %"


RATES: tuple[Column, ...] = (
    ("countries", lambda rate: rate["countries"] or ["any other"]),
    ("price", lambda rate: shown(rate["price"])),
    ("free from", lambda rate: rate["free_from"] and shown(rate["free_from"])),
    ("tax", lambda rate: _percent(rate["tax_bp"])),
    ("carrier", field("carrier")),
    ("service", field("service")),
)
LIST: tuple[Column, ...] = (
    ("method", field("code")),
    ("name", field("name")),
    ("costs", lambda rate: shown(rate["amount"])),
    *RATES,
)
METHOD: tuple[Column, ...] = (("method", field("code")), ("name", field("name")))

CurrencyOption = Annotated[str, typer.Option()]


@app.command("list")
def list_shipping_methods(
    country: Annotated[
        str | None, typer.Option(help="Only methods for this country, such as DE.")
    ] = None,
    currency: Annotated[str | None, typer.Option()] = None,
    goods: Annotated[
        str | None, typer.Option(help="The price of the goods; needs --currency.")
    ] = None,
    watch: WatchOption = False,
    output: OutputOption = Output.table,
) -> None:
    """List shipping methods and their prices."""
    if goods is not None and currency is None:
        raise typer.BadParameter("--goods needs --currency")
    worth = None if goods is None else money(goods, currency or "")["amount"]
    filters = {"country": country, "currency": currency, "goods": worth}
    show_list(
        lambda: session().api.get("/v1/shipping-methods", **filters),
        LIST,
        output,
        watch=watch,
    )


@app.command("show")
def show_shipping_method(code: str, output: OutputOption = Output.table) -> None:
    """Show a method with all its rates."""
    method = session().api.get(_path(code))
    show_one(method, METHOD, output)
    if output is Output.table:
        show_table("rates", method["rates"], RATES)


@app.command("put")
def put_shipping_method(
    code: str,
    rate: Annotated[
        list[str],
        typer.Option(
            "--rate",
            metavar="COUNTRIES=PRICE",
            help="DE,AT=4.90, and *=9.90 for any other. Repeat for each rate.",
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(help="The name that customers see.", show_default="as it was"),
    ] = None,
    currency: CurrencyOption = "EUR",
    tax: Annotated[
        float | None,
        typer.Option(min=0, max=100, help="Percent.", show_default="the goods'"),
    ] = None,
    free_from: Annotated[
        str | None, typer.Option(help="Ship goods of this price or more for free.")
    ] = None,
    carrier: Annotated[str | None, typer.Option()] = None,
    service: Annotated[
        str | None, typer.Option(help="The carrier's service, such as express.")
    ] = None,
    output: OutputOption = Output.table,
) -> None:
    """Create a method or replace its rates in one currency; those in others stay."""
    known = session().api.get("/v1/shipping-methods", currency=None)["data"]
    rates = [one for one in known if one["code"] == code and one["name"]]
    called = name or next((one["name"] for one in rates), None)
    if called is None:
        raise CliError(f"{code} is new.\n→ Give it a --name")
    kept = [_kept(one) for one in rates if one["price"]["currency"] != currency]
    more = {
        "tax_bp": None if tax is None else round(tax * 100),
        "free_from": None if free_from is None else money(free_from, currency),
        "carrier": carrier,
        "service": service,
    }
    new = [_rate(text, currency) | more for text in rate]
    body = {"name": called, "rates": kept + new}
    method = session().api.put(_path(code), body)
    done(method, output, f"{code} has {len(method['rates'])} rates.")


def _kept(rate: Json) -> Json:
    fields = ("countries", "price", "tax_bp", "free_from", "carrier", "service")
    return {name: rate[name] for name in fields}


def _rate(text: str, currency: str) -> Json:
    found = re.fullmatch(r"(\*|[A-Z]{2}(?:,[A-Z]{2})*)=(.+)", text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not COUNTRIES=PRICE, such as DE,AT=4.90")
    countries = [] if found[1] == "*" else found[1].split(",")
    return {"countries": countries, "price": money(found[2], currency)}


def _path(code: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", code):
        raise typer.BadParameter(f"{code!r} is not a method such as standard")
    return f"/v1/shipping-methods/{code}"
