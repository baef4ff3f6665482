"""Translates the texts that customers read, and writes amounts and days as their
country does.

Texts are in English; a gettext catalogue `<language>.po` translates them.
"""

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import parse_pattern
from babel.support import NullTranslations, Translations

DEFAULT_LANGUAGE = "en"


def languages_in(catalogues: Sequence[Path]) -> list[str]:
    """The languages with a catalogue, and English."""
    found = {file.stem for folder in catalogues for file in folder.glob("*.po")}
    return sorted(found | {DEFAULT_LANGUAGE})


def language_for(tag: str | None, known: Collection[str]) -> str:
    """Chooses the known language for a tag such as `de-AT` or `de_AT`; English where
    none fits."""
    wanted = (tag or DEFAULT_LANGUAGE).replace("-", "_")
    return negotiate_locale([wanted], list(known)) or DEFAULT_LANGUAGE


def translations(catalogues: Sequence[Path], language: str) -> NullTranslations:
    """Texts of the first folder win, then those of the next, then English."""
    all_of_them = NullTranslations()
    for folder in reversed(catalogues):
        file = folder / f"{language}.po"
        if file.exists():
            read = _read(file)
            read.add_fallback(all_of_them)
            all_of_them = read
    return all_of_them


def _read(catalogue: Path) -> Translations:
    """Compiled at the start, so that shops need no build step."""
    compiled = BytesIO()
    with catalogue.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return Translations(compiled)


def locale_for(tag: str | None, language: str) -> Locale:
    """The locale of the text's language as the customer's country writes it."""
    try:
        wanted = Locale.parse((tag or language).replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse(language)
    same = wanted.language == Locale.parse(language).language
    return wanted if same else Locale.parse(language)


def money(minor_units: int, *, currency: str, places: int, locale: Locale) -> str:
    """`places` are the currency's decimals."""
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (places, places)
    amount = Decimal(minor_units).scaleb(-places)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


def day(moment: date, *, locale: Locale) -> str:
    return format_date(moment, format="long", locale=locale)
