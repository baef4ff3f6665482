"""A worker dies with many orders in its hands."""

import pytest

from tests.faults.customers import until_none_is_placed
from tests.faults.run import town_of
from tests.faults.survivors import play
from tests.faults.system import System


# `poe survivors` says how much longer they wait; this only shows that they end. So only
# the long form, which prints the difference, compares anything.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("rounds", "each", "compared"),
    [(1, 12, False), pytest.param(5, 60, True, marks=pytest.mark.slow)],
)
async def test_everybody_gets_what_they_ordered_from_a_worker_that_died(
    system: System, rounds: int, each: int, compared: bool
) -> None:
    async with town_of(system, seed=each) as town:
        # The proof covers every order there is, including those of earlier tests.
        await until_none_is_placed(system, town)
        report = await play(system, town, rounds, each, print, compared=compared)
    assert report.placed == (rounds + compared) * each
    assert report.completed == report.placed
    assert report.findings == []
