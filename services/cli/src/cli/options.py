"""Options that many commands share, and how their values are read."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.problems import Json


class Output(StrEnum):
    table = "table"
    json = "json"


OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="A table, or the API's JSON.")
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="Idempotency-Key: the same command under the same key is done once.",
        show_default="a new one",
    ),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Show it anew every two seconds.")
]
LinesOption = Annotated[
    list[str] | None,
    typer.Option("--line", metavar="LINE=UNITS", help="Repeat for each line."),
]
NoteOption = Annotated[
    str | None, typer.Option("--note", help="For colleagues; kept in the shop.")
]
OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="ord_… or number")]

_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "VND": 0, "BHD": 3, "KWD": 3}
"""Digits after the point where they are not two (ISO 4217)."""


def lines(given: list[str] | None) -> list[Json]:
    """`2=1` is one unit of line 2."""
    return [
        {"line": number, "quantity": units}
        for number, units in (_pair(text, "LINE=UNITS") for text in given or [])
    ]


def _pair(text: str, form: str) -> tuple[int, int]:
    try:
        number, units = text.split("=")
        return int(number), int(units)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not {form}") from None


def units_by_sku(given: list[str]) -> dict[str, int]:
    """`TEA-ASSAM=20`, `MUG-BLUE=-2`."""
    found = {}
    for text in given:
        sku, _, units = text.rpartition("=")
        try:
            found[sku] = int(units)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not SKU=UNITS") from None
        if not sku:
            raise typer.BadParameter(f"{text!r} is not SKU=UNITS")
    return found


def money(text: str, currency: str) -> Json:
    """`money("12.90", "EUR")` is 1290 cents."""
    digits = _DIGITS.get(currency, 2)
    whole, _, rest = text.partition(".")
    if not (whole + rest).isdecimal() or not (whole + rest).isascii():
        raise typer.BadParameter(f"{text!r} is no amount such as 12.90")
    if len(rest) > digits:
        raise typer.BadParameter(f"{currency} has {digits} digits after the point")
    return {"amount": int(whole + rest.ljust(digits, "0")), "currency": currency}


def shown(amount: Json) -> str:
    digits = _DIGITS.get(amount["currency"], 2)
    return f"{amount['amount'] / 10**digits:.{digits}f} {amount['currency']}"
