"""Formats amounts, times and people."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel.numbers import format_currency
from markupsafe import Markup
from shared.contracts.money import decimals

LOCALE = "en_GB"
_STEPS = ((60, "s"), (3600, "min"), (86400, "h"), (86400 * 365, "d"))
_LENGTHS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def money(amount: dict[str, Any] | None) -> str:
    """`{"amount": 1290, "currency": "EUR"}` as €12.90."""
    return "" if amount is None else sum_of(amount["amount"], amount["currency"])


@lru_cache(maxsize=5000)
def sum_of(minor: int, currency: str) -> str:
    """Minor units as a decimal amount."""
    digits = decimals(currency)
    value = Decimal(minor).scaleb(-digits)
    form = f"¤#,##0.{'0' * digits}".rstrip(".")
    written = format_currency(
        value, currency, form, locale=LOCALE, currency_digits=False
    )
    return str(written)


def minor_units(text: str, currency: str) -> int:
    """Parse `12.90` or `12,90`. Raises `ValueError`."""
    plain = text.strip().replace(",", ".")
    try:
        value = Decimal(plain).scaleb(decimals(currency))
    except ArithmeticError:
        raise ValueError(f"{text!r} is no amount") from None
    if not value.is_finite() or value != value.to_integral_value() or value < 0:
        raise ValueError(f"{text!r} is no amount of {currency}")
    return int(value)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def now() -> datetime:
    return datetime.now(UTC)


def about(seconds: float) -> str:
    """A rough duration in one number: `3 h`."""
    seconds = abs(seconds)
    unit = next((unit for limit, unit in _STEPS if seconds < limit), "d")
    return f"{int(seconds // _LENGTHS[unit])} {unit}"


def ago(text: str) -> str:
    seconds = (now() - moment(text)).total_seconds()
    return f"in {about(seconds)}" if seconds < 0 else f"{about(seconds)} ago"


def written(text: str) -> str:
    """In UTC; a script writes it in the reader's own time."""
    return moment(text).astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def time_tag(text: str | None, form: str = "ago") -> Markup:
    """A time that tells itself as `ago`, `age` or `at`; the exact one is its title."""
    if not text:
        return Markup("")
    shown = {
        "ago": ago,
        "age": lambda t: about((now() - moment(t)).total_seconds()),
        "at": written,
    }[form](text)
    return Markup('<time datetime="{}" data-form="{}" title="{}">{}</time>').format(
        text, form, written(text), shown
    )


def urgency(due_at: str | None, placed_at: str) -> str:
    """`late`, `soon` in the last quarter of its time, else nothing."""
    if due_at is None:
        return ""
    due, placed = moment(due_at), moment(placed_at)
    left, whole = (due - now()).total_seconds(), (due - placed).total_seconds()
    if left < 0:
        return "late"
    return "soon" if left < whole / 4 or left < 3600 else ""


def share_left(due_at: str | None, placed_at: str) -> int:
    """Percent of a hold's time that is left, for its bar."""
    if due_at is None:
        return 100
    due, placed = moment(due_at), moment(placed_at)
    whole = max((due - placed).total_seconds(), 1.0)
    return max(0, min(100, round((due - now()).total_seconds() / whole * 100)))


def initials(name: str) -> str:
    words = [word for word in name.replace(".", " ").replace("-", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"
