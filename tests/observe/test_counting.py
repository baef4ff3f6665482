"""What is counted is what was committed, once."""

from functools import partial

import pytest
from prometheus_client import REGISTRY
from shared.database.engine import Engine
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from shared.database.orders.metrics import CANCEL_REASONS, count
from shared.database.orders.tables import Order

from tests.support.shop import Shop


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def confirm(change: UnitOfWork, *, refuse: bool = False) -> Done:
    change.event("order.confirmed")
    if refuse:
        raise ValueError("changed its mind")
    return Done()


@pytest.fixture
async def order_id(closed_shop: Shop) -> str:
    """Placed, and nobody works on it."""
    return await closed_shop.place(TEA=1)


async def test_a_repeat_is_not_counted_again(order_id: str, engine: Engine) -> None:
    before = counted("orders_confirmed_total")
    observed = counted("orders_time_to_confirmation_seconds_count")
    for _ in range(2):
        await change(
            engine, Order, order_id, key="k", actor="test", apply=confirm, result=Done
        )
    assert counted("orders_confirmed_total") == before + 1
    assert counted("orders_time_to_confirmation_seconds_count") == observed + 1


async def test_what_is_rolled_back_is_not_counted(
    order_id: str, engine: Engine
) -> None:
    before = counted("orders_confirmed_total")
    with pytest.raises(ValueError, match="changed its mind"):
        await change(
            *(engine, Order, order_id),
            key="k",
            actor="test",
            apply=partial(confirm, refuse=True),
            result=Done,
        )
    assert counted("orders_confirmed_total") == before


def test_reasons_of_callers_are_one_label() -> None:
    before = counted("orders_cancelled_total", reason="other")
    for reason in ("fraud-9b1", "fraud-77c"):
        count([{"type": "order.cancelled", "data": {"reason": reason}}], 1.0)
    assert counted("orders_cancelled_total", reason="other") == before + 2
    assert REGISTRY.get_sample_value("orders_cancelled_total", {"reason": "x"}) is None


def test_every_reason_is_there_before_it_happens() -> None:
    for reason in CANCEL_REASONS:
        sample = {"reason": reason}
        assert REGISTRY.get_sample_value("orders_cancelled_total", sample) is not None
