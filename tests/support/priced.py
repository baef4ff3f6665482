"""Orders at prices of every kind, as a service sends them that sets prices."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.shop import ADDRESS, PRICES, SHIPPING

Json = dict[str, Any]
Kind = Callable[[Json], None]

FRANCS = {sku: price + 130 for sku, price in PRICES.items()}


def an_order(kind: str, card: str, units: Mapping[str, int]) -> Json:
    order: Json = {
        "customer_id": "somebody",
        "currency": "EUR",
        "lines": [{"sku": sku, "quantity": n} for sku, n in units.items()],
        "shipping": {"method": "standard", "amount": _money(SHIPPING)},
        "contact": {"name": "Some Body", "email": "somebody@example.com"},
        "ship_to": ADDRESS,
        "payment": {"method": card},
    }
    KINDS[kind](order)
    return order


def _plain(order: Json) -> None:
    order["expected_total"] = _money(SHIPPING + _goods(order))


def _discounted(order: Json) -> None:
    """Nothing of it can be divided evenly."""
    order["lines"][0]["discounts"] = [_off("LINE", 101)]
    order["discounts"] = [_off("ORDER", 337), _off("MORE", 13)]


def _free(order: Json) -> None:
    order["discounts"] = [_off("GIFT", _goods(order))]
    order["shipping"]["amount"] = _money(0)
    del order["payment"]


def _francs(order: Json) -> None:
    order["currency"] = "CHF"
    order["shipping"]["amount"] = _money(900, "CHF")


def _added(order: Json) -> None:
    """Net prices; no tax of it can be divided evenly."""
    order["tax_treatment"] = "added"
    order["discounts"] = [_off("ORDER", 211)]
    for line in order["lines"]:
        line["unit_price"] = _money(PRICES[line["sku"]])
        line["taxes"] = [_tax("STATE", 53), _tax("CITY", 50)]
    order["shipping"]["taxes"] = [_tax("STATE", 20)]


def _exempt(order: Json) -> None:
    order["tax_treatment"] = "exempt"
    for line in order["lines"]:
        line["unit_price"] = _money(PRICES[line["sku"]] * 100 // 119)


KINDS: dict[str, Kind] = {
    "plain": _plain,
    "discounted": _discounted,
    "free": _free,
    "francs": _francs,
    "added": _added,
    "exempt": _exempt,
}


def _goods(order: Json) -> int:
    return sum(PRICES[line["sku"]] * line["quantity"] for line in order["lines"])


def _tax(name: str, amount: int) -> Json:
    return {"name": name, "amount": _money(amount)}


def _off(code: str, amount: int) -> Json:
    return {"code": code, "amount": _money(amount)}


def _money(amount: int, currency: str = "EUR") -> Json:
    return {"amount": amount, "currency": currency}
