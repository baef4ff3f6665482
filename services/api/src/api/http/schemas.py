"""The types of requests and answers.

They are not the payloads of workflows: HTTP is versioned by its address and refuses
unknown fields, while payloads lie in histories and ignore them.
"""

from collections.abc import Sequence
from typing import Annotated, Generic, Protocol, TypeVar
from unicodedata import normalize

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.config import JsonDict

from api.http.forms import written_as

T = TypeVar("T")

# PostgreSQL stores no NUL, and no name or reference needs a control character.
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
# Characters that need quotes in an address could hide another address.
_IN_EMAIL = r"[^@\s\x00-\x1f\x7f-\x9f\"(),:;<>\[\]\\]"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_BLANKS = dict.fromkeys(map(ord, "\n\t\u00a0\u202f\u3000"), " ")


def _text(longest: int, pattern: str = _ONE_LINE) -> StringConstraints:
    return written_as(
        pattern,
        "text without control characters",
        strip_whitespace=True,
        min_length=1,
        max_length=longest,
    )


def readable(value: str) -> str:
    """Raises `ValueError` for invisible characters, which reverse a line of text or
    make one name look like another (Unicode TR 36)."""
    if not value.translate(_BLANKS).isprintable():
        raise ValueError("must consist of characters that can be seen")
    return value


def _plain(value: str) -> str:
    """Refuses encoded words (RFC 2047), which a mail's header would decode, line breaks
    too."""
    if "=?" in value:
        raise ValueError("must be plain text, without encoded words")
    return readable(value)


_PLAIN = AfterValidator(_plain)
Word = Annotated[str, _text(100), _PLAIN]
Subject = Annotated[str, _text(200), _PLAIN]
"""A person or service by the `sub` of their tokens: as long as `is_subject` allows."""
Line = Annotated[str, _text(250), _PLAIN]
Note = Annotated[str, _text(2000, _LINES), AfterValidator(readable)]
Category = Annotated[
    str,
    written_as(
        r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        "a word of up to 64 letters, digits, dots, dashes and underscores",
    ),
]
"""The caller's own category. It ends up in payloads and events, so it is one word and
no free text."""
_IN_SKU = r"[^\x00-\x1f\x7f-\xa0\u2028\u2029]"
SKU_PATTERN = rf"^[^\W_]({_IN_SKU}{{0,62}}[^\s\x00-\x1f\x7f-\xa0])?$"
Sku = Annotated[
    str,
    written_as(
        SKU_PATTERN,
        "1 to 64 characters that begin with a letter or digit and end without a blank",
    ),
    AfterValidator(lambda sku: readable(normalize("NFC", sku))),
]
"""As the shop writes it: `TEA/ASSAM 250`, `Tüte-1`."""
Currency = Annotated[
    str, written_as("^[A-Z]{3}$", "the three capitals of ISO 4217, such as EUR")
]
Amount = Annotated[int, Field(ge=0, le=10**12)]
"""Minor units. The audit views multiply it by a quantity: that must fit a bigint."""
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
LineNumber = Annotated[int, Field(ge=1, le=500)]


def _can_be_written_to(address: str) -> str:
    """With its domain as mail servers write it (punycode)."""
    try:
        known = validate_email(
            address, check_deliverability=False, allow_smtputf8=False
        )
    except EmailNotValidError:
        # Its message may quote the address.
        raise ValueError(
            "must be a mail address that the world's mail servers can reach"
        ) from None
    return known.ascii_email or known.normalized


Email = Annotated[
    str,
    written_as(
        rf"^{_IN_EMAIL}+@{_IN_EMAIL}+\.{_IN_EMAIL}+$",
        "a mail address",
        max_length=254,
    ),
    _PLAIN,
    AfterValidator(_can_be_written_to),
]
Phone = Annotated[
    str, written_as(r"^\+?[0-9 ()./-]{3,40}$", "a phone number, such as +49 30 1234")
]
Country = Annotated[
    str, written_as("^[A-Z]{2}$", "the two capitals of a country, such as DE")
]
"""ISO 3166-1 alpha-2."""
Locale = Annotated[
    str,
    written_as(
        r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$",
        "a language, such as de or de-AT",
        max_length=35,
    ),
    AfterValidator(lambda tag: tag.replace("_", "-")),
]
"""A language tag (BCP 47), or as operating systems write it: `de-AT`, `de_AT`."""


class Request(BaseModel):
    """The base of requests: exact types, and no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def examples(*requests: JsonDict) -> ConfigDict:
    """A request's examples in the API's description."""
    return ConfigDict(json_schema_extra={"examples": [*requests]})


class Nothing(Request):
    """An empty body: the URL says everything."""


class View(BaseModel):
    """The base of answers."""

    model_config = ConfigDict(frozen=True)


class Money(Request):
    """An amount in the currency's minor unit: `1999` with `EUR` is 19.99 €."""

    amount: Amount
    currency: Currency


class Address(Request):
    """Each country requires further fields. An order whose address lacks one is held
    until the address is corrected."""

    name: Line
    company: Line | None = None
    street: Line
    street2: Line | None = None
    city: Line | None = None
    region: Line | None = None
    postal_code: Word | None = None
    country: Country


class LineQuantity(Request):
    line: LineNumber
    quantity: Quantity


class _OfLine(Protocol):
    @property
    def line(self) -> int: ...


L = TypeVar("L", bound=_OfLine)


def _each_once(lines: Sequence[L]) -> Sequence[L]:
    if len({item.line for item in lines}) < len(lines):
        raise ValueError("must name a line only once")
    return lines


Many = Annotated[list[T], Field(min_length=1, max_length=500, fail_fast=True)]
"""A list that reports the mistakes of its first wrong item only: finding those of five
hundred would hold up the event loop for too long."""
Lines = Annotated[Many[L], AfterValidator(_each_once)]
"""Some of an order's lines, and each of them once: two might mean their sum, or that
the second corrects the first."""


class Page(View, Generic[T]):
    """A part of a list. Ask with `cursor=next_cursor` for the next one."""

    data: list[T]
    next_cursor: str | None = None
