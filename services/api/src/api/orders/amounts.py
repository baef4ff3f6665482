"""Checks early that the payment provider takes an amount."""

from shared.contracts.orders.charging import chargeable, charging, fits

from api.http.problems import Problem, invalid


def check_currency(pointer: str, currency: str) -> None:
    """Raises `Problem` invalid."""
    if charging(currency) is None:
        raise invalid(pointer, "currency", "Nothing can be charged in this currency.")


def check_part(pointer: str, currency: str, amount: int) -> None:
    """Check a price, or any other part of a charge. Raises `Problem` invalid."""
    if not fits(currency, amount):
        raise _step(pointer, currency)


def check_charge(pointer: str, currency: str, amount: int) -> None:
    """Check an amount that is charged at once; for 0 nothing is charged. Raises
    `Problem` invalid."""
    rule = charging(currency)
    if amount == 0 or rule is None or chargeable(currency, amount):
        return
    if amount < rule.smallest:
        raise invalid(pointer, "greater_than_equal", f"At least {rule.smallest}")
    if amount > rule.largest:
        raise invalid(pointer, "less_than_equal", f"At most {rule.largest}")
    raise _step(pointer, currency)


def _step(pointer: str, currency: str) -> Problem:
    rule = charging(currency)
    step = rule.step if rule else 1
    return invalid(pointer, "multiple_of", f"Must be a multiple of {step}")
