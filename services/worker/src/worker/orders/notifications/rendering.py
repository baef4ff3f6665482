"""Turns templates into the subject, text and HTML of a mail.

A pair of files makes a message: the first line of `<name>.txt` is the subject, the rest
the text; `<name>.html` says the same. A name that a template uses but nobody provides
is an error, so that no half-filled mail goes out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import parse_pattern
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from shared.contracts.money import decimals

DEFAULT_LOCALE = "en"
TEMPLATES = Path(__file__).with_name("templates")

_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str


def render(
    name: str, context: Mapping[str, object], *, locale: str | None, currency: str
) -> Rendered:
    """`locale` is a tag such as `de-AT`; unknown ones fall back to English. Raises
    jinja2's `UndefinedError`."""
    known = _locale(locale)
    filled = {
        **context,
        "money": partial(_money, currency=currency, locale=known),
        "day": partial(_day, locale=known),
    }
    text = _environment.get_template(f"{name}.txt").render(filled)
    subject, _, body = text.partition("\n")
    html = _environment.get_template(f"{name}.html").render(
        {**filled, "subject": subject}
    )
    return Rendered(subject, body.lstrip("\n"), html)


def _money(minor_units: int, *, currency: str, locale: Locale) -> str:
    places = decimals(currency)
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (places, places)
    amount = Decimal(minor_units).scaleb(-places)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


def _day(moment: date, *, locale: Locale) -> str:
    return format_date(moment, format="long", locale=locale)


def _locale(tag: str | None) -> Locale:
    for candidate in (tag or "", (tag or "").partition("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return Locale.parse(DEFAULT_LOCALE)
