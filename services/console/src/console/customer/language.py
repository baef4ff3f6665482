"""Customers' pages in the language of their mails, with amounts and days as people
write them there."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from babel import Locale
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from shared.contracts.money import decimals
from shared.platform import languages
from shared.platform.languages import language_for, languages_in, locale_for

from console.templating import asset, icon_of, new_key

_HERE = Path(str(files("console")))
CATALOGUES = _HERE / "catalogues"
TEMPLATES = _HERE / "templates"
_FLASH = "told"
_A_MINUTE = timedelta(minutes=1)
_NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}
"""Region codes in the data that are no countries for parcels."""


@cache
def _environments() -> Mapping[str, jinja2.Environment]:
    return {one: _environment(one) for one in languages_in([CATALOGUES])}


def _environment(language: str) -> jinja2.Environment:
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words = languages.translations([CATALOGUES], language)
    found.install_gettext_translations(  # type: ignore[attr-defined]
        words, newstyle=True
    )
    found.globals |= {"asset": asset, "icon": icon_of, "new_key": new_key}
    return found


def page(
    request: Request, template: str, *, status_code: int = 200, **context: Any
) -> Response:
    """`request.state.language` is the mail's; before a link is known, the browser's."""
    environments = _environments()
    tag = getattr(request.state, "language", None) or _browsers(request)
    language = language_for(tag, environments)
    locale = locale_for(tag, language)
    cookies = request.app.state.cookies
    told = cookies.read(request, _FLASH, _A_MINUTE)
    text = environments[language].get_template(f"customer/{template}")
    filled = text.render(
        {
            "language": language.replace("_", "-"),
            "shop": request.app.state.settings.console_shop_name,
            "told": told["code"] if told else "",
            "money": partial(_money, locale=locale),
            "day": partial(_day, locale=locale),
            "country": partial(_country, locale=locale),
            "countries": partial(_countries, str(locale)),
            **context,
        }
    )
    answer = HTMLResponse(filled, status_code)
    if told is not None:
        cookies.drop(answer, _FLASH)
    return answer


def flash(request: Request, answer: Response, code: str) -> Response:
    """Show a message on the next page, in its language."""
    request.app.state.cookies.write(answer, _FLASH, {"code": code})
    return answer


def _browsers(request: Request) -> str | None:
    """The first language that the browser asks for and we have."""
    header = request.headers.get("accept-language", "")[:200]
    wanted = [part.partition(";")[0].strip() for part in header.split(",")]
    known = _environments()
    return next((tag for tag in wanted if tag[:2].lower() in known), None)


def _money(amount: dict[str, Any], *, locale: Locale) -> str:
    currency = amount["currency"]
    places = decimals(currency)
    return languages.money(
        amount["amount"], currency=currency, places=places, locale=locale
    )


def _day(text: str, *, locale: Locale) -> str:
    return languages.day(datetime.fromisoformat(text), locale=locale)


def _country(code: str, *, locale: Locale) -> str:
    return str(locale.territories.get(code, code))


@cache
def _countries(locale: str) -> list[tuple[str, str]]:
    """Codes and names, by their names."""
    names = Locale.parse(locale).territories.items()
    real = [(c, n) for c, n in names if len(c) == 2 and c not in _NO_COUNTRIES]
    return sorted(real, key=lambda country: country[1].casefold())
