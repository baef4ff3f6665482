"""Options that many commands share, and how their values are read."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.problems import Json


class Output(StrEnum):
    table = "table"
    json = "json"
    csv = "csv"


OutputOption = Annotated[
    Output,
    typer.Option(
        "-o", "--output", help="A table, the API's JSON, or the table as CSV."
    ),
]


def _sendable(key: str | None) -> str | None:
    if key is not None and not re.fullmatch(r"[!-~]{1,200}", key):
        raise typer.BadParameter("has 1 to 200 ASCII characters and no blanks")
    return key


KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        callback=_sendable,
        help="Idempotency-Key: repeating a command under its key changes nothing.",
        show_default="a new one",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only since then: 2h, 3d, 2026-11-30."),
]
UntilOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only before then, in the same forms."),
]
LimitOption = Annotated[
    int, typer.Option("--limit", min=1, help="How many rows to show at most.")
]
WatchOption = Annotated[
    bool, typer.Option("--watch", "-w", help="Refresh every two seconds.")
]
LinesOption = Annotated[
    list[str] | None,
    typer.Option("--line", metavar="LINE=UNITS", help="Repeat for each line."),
]
NoteOption = Annotated[
    str | None,
    typer.Option("--note", help="A note for colleagues; customers never see it."),
]
OrderArgument = Annotated[
    str, typer.Argument(metavar="ORDER", help="ord_…, number or reference")
]

FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="The file to write; - is the standard output."),
]

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS = dict.fromkeys(_NONE.split(), 0) | dict.fromkeys(_THREE.split(), 3)
"""Decimal places of currencies that do not have two (ISO 4217)."""


def given(**options: object) -> Json:
    """The options that were given: what is left out is not sent."""
    return {name: value for name, value in options.items() if value is not None}


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


def units_of_sku(text: str) -> tuple[str, int]:
    """`TEA-ASSAM=20`, `MUG-BLUE=-2`."""
    sku, _, units = text.rpartition("=")
    try:
        if sku:
            return sku, int(units)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not SKU=UNITS")


def money(text: str, currency: str) -> Json:
    """`money("12.90", "EUR")` is 1290 cents. So is all that a mail may show of it:
    12,90, 12,90 € and EUR 12.90, also with points between the thousands."""
    digits = _DIGITS.get(currency, 2)
    number = re.sub(rf"{currency}|[\s€$£¥'’]", "", text)
    found = re.fullmatch(r"(\d+|\d{1,3}(?:([.,])\d{3})+)(?:([.,])(\d+))?", number, re.A)
    if found is None or (found[2] and found[2] == found[3]):
        raise typer.BadParameter(f"{text!r} is no amount such as 12.90")
    whole, rest = re.sub(r"[.,]", "", found[1]), found[4] or ""
    if found[2] and not rest:
        raise typer.BadParameter(f"{text!r} may mean two amounts: write it as 1234.00")
    if len(rest) > digits:
        raise typer.BadParameter(f"{currency} has {digits} digits after the point")
    return {"amount": int(whole + rest.ljust(digits, "0")), "currency": currency}


def shown(amount: Json) -> str:
    digits = _DIGITS.get(amount["currency"], 2)
    return f"{amount['amount'] / 10**digits:.{digits}f} {amount['currency']}"
