"""Turns templates into subject, text and HTML of a mail, in the customer's language.

A pair of files makes a message: the first line of `<name>.txt` is the subject, the rest
the text; `<name>.html` says the same. They are in English; a gettext catalogue
`<language>.po` translates them. A name that a template uses but nobody provides is an
error, so that no half-filled mail goes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property, partial
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import parse_pattern
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from shared.contracts.money import decimals

DEFAULT_LANGUAGE = "en"
TEMPLATES = Path(__file__).with_name("templates")
CATALOGUES = Path(__file__).with_name("catalogues")


@dataclass(frozen=True)
class Rendered:
    subject: str
    text: str
    html: str


class Renderer:
    """`own` is a shop's directory: its templates and catalogues come before ours."""

    def __init__(self, own: Path | None = None) -> None:
        mine = [] if own is None else [own]
        self._templates = [*mine, TEMPLATES]
        self._catalogues = [*mine, CATALOGUES]

    def render(
        self,
        name: str,
        context: Mapping[str, object],
        *,
        locale: str | None,
        currency: str,
    ) -> Rendered:
        """`locale` is a tag such as `de-AT` or `de_AT`; of one without a catalogue all
        is English, amounts and days too. Raises jinja2's `UndefinedError`."""
        language = self._language(locale)
        known = _locale(locale, language)
        environment = self._environments[language]
        filled = {
            **context,
            "language": language.replace("_", "-"),
            "money": partial(_money, currency=currency, locale=known),
            "day": partial(_day, locale=known),
        }
        text = environment.get_template(f"{name}.txt").render(filled)
        subject, _, body = text.partition("\n")
        html = environment.get_template(f"{name}.html").render(
            {**filled, "subject": subject}
        )
        return Rendered(subject, body.lstrip("\n"), html)

    def _language(self, locale: str | None) -> str:
        wanted = (locale or DEFAULT_LANGUAGE).replace("-", "_")
        return negotiate_locale([wanted], list(self._environments)) or DEFAULT_LANGUAGE

    @cached_property
    def _environments(self) -> Mapping[str, Environment]:
        """By language: what a template says is settled when it is compiled."""
        languages = {
            file.stem
            for directory in self._catalogues
            for file in directory.glob("*.po")
        }
        return {
            language: _environment(self._templates, self._translations(language))
            for language in sorted(languages | {DEFAULT_LANGUAGE})
        }

    def _translations(self, language: str) -> NullTranslations:
        """The shop's own words, then ours, then those of the templates."""
        all_of_them = NullTranslations()
        for directory in reversed(self._catalogues):
            file = directory / f"{language}.po"
            if file.exists():
                read = _read(file)
                read.add_fallback(all_of_them)
                all_of_them = read
        return all_of_them


def _read(catalogue: Path) -> Translations:
    """Compiled here, so that nobody has to before they start it."""
    compiled = BytesIO()
    with catalogue.open("rb") as source:
        write_mo(compiled, read_po(source))
    compiled.seek(0)
    return Translations(compiled)


def _environment(
    templates: Sequence[Path], translations: NullTranslations
) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]
        translations, newstyle=True
    )
    return environment


def _money(minor_units: int, *, currency: str, locale: Locale) -> str:
    places = decimals(currency)
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (places, places)
    amount = Decimal(minor_units).scaleb(-places)
    return str(pattern.apply(amount, locale, currency=currency, currency_digits=False))


def _day(moment: date, *, locale: Locale) -> str:
    return format_date(moment, format="long", locale=locale)


def _locale(tag: str | None, language: str) -> Locale:
    """How the customer's country writes the language that the mail is in."""
    try:
        wanted = Locale.parse((tag or language).replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return Locale.parse(language)
    same = wanted.language == Locale.parse(language).language
    return wanted if same else Locale.parse(language)
