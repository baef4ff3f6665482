"""A whole system to disturb, once for all tests that only disturb it for a while."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.people import Town, stock_up
from tests.faults.run import town_of
from tests.faults.system import System, running_system


@pytest.fixture(scope="package")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running_system(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture
async def town(system: System) -> AsyncIterator[Town]:
    """With goods for everybody."""
    async with town_of(system, seed=1) as town:
        await stock_up(town)
        yield town
