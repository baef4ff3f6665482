"""Far more orders than can be served at once."""

from pathlib import Path

import pytest

from tests.faults import overload
from tests.faults.people import Town
from tests.faults.system import System


async def test_each_order_of_a_rush_is_taken_or_told_to_come_again(
    system: System, town: Town
) -> None:
    findings: list[str] = []
    wave = await overload.wave(system, town, 60, findings)
    assert findings == []
    assert wave.answers["201"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_two_thousand_at_once_are_served_in_memory_that_stays_flat(
    tmp_path: Path,
) -> None:
    report = await overload.play(2_000, 2, tmp_path / "run", print)
    print("\n".join(report.lines()))
    assert report.findings == []
    assert overload.grown(*report.waves) == []
