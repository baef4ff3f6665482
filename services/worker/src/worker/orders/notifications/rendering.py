"""Turns templates into subject, text and HTML of a mail, in the customer's language.

A pair of files makes a message: the first line of `<name>.txt` is the subject, the rest
the text; `<name>.html` says the same. They are in English; a gettext catalogue
`<language>.po` translates them. A name that a template uses but nobody provides is an
error, so that no half-filled mail goes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from babel.support import NullTranslations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from shared.contracts.money import decimals
from shared.platform import languages
from shared.platform.languages import language_for, languages_in, locale_for

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
        language = language_for(locale, self._environments)
        known = locale_for(locale, language)
        environment = self._environments[language]
        filled = {
            **context,
            "language": language.replace("_", "-"),
            "money": partial(
                languages.money,
                currency=currency,
                places=decimals(currency),
                locale=known,
            ),
            "day": partial(languages.day, locale=known),
        }
        text = environment.get_template(f"{name}.txt").render(filled)
        subject, _, body = text.partition("\n")
        html = environment.get_template(f"{name}.html").render(
            {**filled, "subject": subject}
        )
        return Rendered(subject, body.lstrip("\n"), html)

    @cached_property
    def _environments(self) -> Mapping[str, Environment]:
        """By language: what a template says is settled when it is compiled."""
        return {
            language: _environment(
                self._templates, languages.translations(self._catalogues, language)
            )
            for language in languages_in(self._catalogues)
        }


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
