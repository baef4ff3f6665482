"""A worker dies with many orders in its hands."""

import pytest

from tests.faults.customers import until_none_is_placed
from tests.faults.run import town_of
from tests.faults.survivors import play
from tests.faults.system import System

ROUNDS, EACH = 5, 60


# In the suite the short fault run kills a worker with orders in its hands.
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_everybody_gets_what_they_ordered_from_a_worker_that_died(
    system: System,
) -> None:
    async with town_of(system, seed=EACH) as town:
        # The proof covers every order there is, including those of earlier tests.
        await until_none_is_placed(system, town)
        report = await play(system, town, ROUNDS, EACH, print)
    assert report.placed == (ROUNDS + 1) * EACH
    assert report.completed == report.placed
    assert report.findings == []
