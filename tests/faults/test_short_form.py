"""The fault run of the suite: every part is killed once under a load of orders,
and those of ours are stopped as by a release."""

from pathlib import Path

import pytest

from tests.faults import courses
from tests.faults.plan import RELEASED, Part
from tests.faults.run import play

SEED = 5


# The bound is for a machine that is busy with everything else that the tests start.
@pytest.mark.timeout(900)
async def test_no_end_of_any_part_loses_or_repeats_anything(tmp_path: Path) -> None:
    report = await play(courses.short(SEED), tmp_path / "run", print)
    print("\n".join(report.lines()))
    assert report.placed == 24
    assert report.faults == {"kill": len(Part), "stop": len(RELEASED)}
    assert report.findings == []
