"""What requests and answers are made of.

Not the payloads of workflows: HTTP is versioned by its address and refuses fields that
it does not know, while payloads lie in histories and ignore them.
"""

from collections.abc import Sequence
from typing import Annotated, Generic, Protocol, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)

T = TypeVar("T")

# PostgreSQL stores no NUL, and no name or reference needs a control character.
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
# What would need quotes in an address hides an address in another one.
_IN_EMAIL = r"[^@\s\x00-\x1f\x7f-\x9f\"(),:;<>\[\]\\]"
_LINES = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]*$"
_BLANKS = dict.fromkeys(map(ord, "\n\t\u00a0\u202f\u3000"), " ")


def _text(longest: int, pattern: str = _ONE_LINE) -> StringConstraints:
    return StringConstraints(
        strip_whitespace=True, min_length=1, max_length=longest, pattern=pattern
    )


def readable(value: str) -> str:
    """Raises `ValueError` for what is there and not seen: it turns a line of text
    round, or makes one name look like another (Unicode TR 36)."""
    if not value.translate(_BLANKS).isprintable():
        raise ValueError("must consist of characters that can be seen")
    return value


def _plain(value: str) -> str:
    """RFC 2047: in a header it would be read as what it encodes, line breaks too."""
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
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
]
"""A word of the caller's own that ends up in payloads and events: no free text."""
Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Currency = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]
Amount = Annotated[int, Field(ge=0, le=10**12)]
"""Minor units. The audit views multiply it by a quantity: that must fit a bigint."""
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
LineNumber = Annotated[int, Field(ge=1, le=500)]
Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=rf"^{_IN_EMAIL}+@{_IN_EMAIL}+\.{_IN_EMAIL}+$",
    ),
    _PLAIN,
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()./-]{3,40}$")]


class Request(BaseModel):
    """What a caller sends: exact types, and no field that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Nothing(Request):
    """For a command whose address says everything: any more would be ignored."""


class View(BaseModel):
    """What a caller is shown."""

    model_config = ConfigDict(frozen=True)


class Money(Request):
    """An amount in the currency's minor unit: `1999` with `EUR` is 19.99 €."""

    amount: Amount
    currency: Currency


class Address(Request):
    name: Line
    company: Line | None = None
    street: Line
    street2: Line | None = None
    city: Line
    region: Line | None = None
    postal_code: Word
    country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]
    """ISO 3166-1 alpha-2."""


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
"""The mistakes of the first item that has any are shown: finding those of five hundred
would take the event loop longer than a request may."""
Lines = Annotated[Many[L], AfterValidator(_each_once)]
"""Some of an order's lines, and each of them once: two might mean their sum, or that
the second corrects the first."""


class Page(View, Generic[T]):
    """A part of a list. Ask with `cursor=next_cursor` for the next one."""

    data: list[T]
    next_cursor: str | None = None
