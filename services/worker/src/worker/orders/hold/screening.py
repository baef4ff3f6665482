"""When a person must decide about an order, a return or a refund. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from shared.contracts.money import AmountLimit

TOTAL_LIMIT = AmountLimit(100_000)
NEW_CUSTOMER_LIMIT = AmountLimit(50_000)
RETURN_LIMIT = AmountLimit(50_000)


@dataclass(frozen=True)
class Screening:
    """What is known about an order when it is screened. Minor units."""

    total: int
    currency: str
    customers_orders: int
    """How many earlier orders of the customer were confirmed or completed."""
    recent_orders: int
    """How many orders the customer placed within `Limits.burst_window`."""
    ships_abroad_of_billing: bool


@dataclass(frozen=True)
class Limits:
    """Above these an order waits for approval. Minor units of its currency."""

    total: AmountLimit = TOTAL_LIMIT
    new_customer_total: AmountLimit = NEW_CUSTOMER_LIMIT
    burst_orders: int = 10
    burst_window: timedelta = timedelta(hours=1)


def screen(order: Screening, limits: Limits) -> tuple[str, ...]:
    """The reasons why a person should look at an order; none for most orders."""
    findings = {
        "total-over-limit": order.total > limits.total.of(order.currency),
        "new-customer-high-value": order.customers_orders == 0
        and order.total > limits.new_customer_total.of(order.currency),
        "ships-abroad-of-billing": order.ships_abroad_of_billing,
        "many-orders": order.recent_orders > limits.burst_orders,
    }
    return tuple(name for name, found in findings.items() if found)


@dataclass(frozen=True)
class ReturnScreening:
    """What is known about a return when it is asked for. `value` in minor units."""

    value: int
    currency: str
    recent_returns: int
    """How many returns the customer asked for within `ReturnLimits.recent_window`."""


@dataclass(frozen=True)
class ReturnLimits:
    """Up to these a return is approved at once."""

    value: AmountLimit = RETURN_LIMIT
    recent_returns: int = 5
    recent_window: timedelta = timedelta(days=90)


def screen_return(asked: ReturnScreening, limits: ReturnLimits) -> tuple[str, ...]:
    """The reasons why a person should look at a return; none for most."""
    findings = {
        "value-over-limit": asked.value > limits.value.of(asked.currency),
        "many-returns": asked.recent_returns >= limits.recent_returns,
    }
    return tuple(name for name, found in findings.items() if found)


def needs_second_person(amount: int, limit: int) -> bool:
    """Whether refunding `amount` needs a second person. Minor units; a limit of zero
    means always."""
    return amount > limit
