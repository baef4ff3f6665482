"""Turns most generated requests into ones about what exists: with names and amounts by
chance alone, nearly all would be refused at the first look."""

from typing import Any

Ids = dict[str, list[str]]

SKU, LOCATION, CURRENCY, PRICE, SHIPPING = "TEA", "berlin", "EUR", 1290, 490
_ONLY = {"sku": SKU, "location": LOCATION, "currency": CURRENCY, "line": 1}


def path_of(ids: Ids, given: dict[str, Any]) -> dict[str, Any]:
    """Three of four ids are of things that exist."""
    return {name: _known(ids, name, value) for name, value in given.items()}


def _known(ids: Ids, name: str, value: Any) -> Any:
    known, chance = ids.get(name), _chance(value)
    exists = known and chance % 4 != 3
    return known[chance // 4 % len(known)] if known and exists else value


def body_of(given: Any) -> Any:
    """Half of the bodies speak of what is sold, and cost what it costs."""
    if not isinstance(given, dict) or _chance(given) % 2:
        return given
    body: dict[str, Any] = _about_what_exists(given)
    if {"lines", "expected_total", "shipping", "payment"} <= body.keys():
        body["lines"] = [{"sku": SKU, "quantity": 1 + _chance(given) % 3}]
        body["shipping"] = {"method": "standard", "amount": _money(SHIPPING)}
        body["payment"] = {"method": "pm_card_visa"}
        total = PRICE * body["lines"][0]["quantity"] + SHIPPING
        body["expected_total"] = _money(total)
    return body


def _about_what_exists(value: Any) -> Any:
    if isinstance(value, list):
        return [_about_what_exists(item) for item in value[:1]]
    if isinstance(value, dict):
        return {n: _ONLY.get(n, _about_what_exists(v)) for n, v in value.items()}
    # What JSON Schema takes for an integer, the API takes for a number.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _money(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": CURRENCY}


def _chance(value: Any) -> int:
    """The same for the same value, in every process."""
    return sum(str(value).encode(errors="replace"))
