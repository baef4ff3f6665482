"""The fault runs of the tests: parts are killed under a load of orders, and those of
ours are stopped as by a release."""

from pathlib import Path

import pytest

from tests.faults import courses
from tests.faults.plan import OURS_AND_THEIR_SERVERS, RELEASED, Part
from tests.faults.run import Course, play

SEED = 5
KILLED = len(OURS_AND_THEIR_SERVERS)


# The bound is for a machine that is busy with everything else that the tests start.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("course", "placed", "faults"),
    [
        pytest.param(courses.shortest(SEED), 12, {"kill": KILLED}, id="shortest"),
        pytest.param(
            courses.short(SEED),
            24,
            {"kill": len(Part), "stop": len(RELEASED)},
            id="short",
            marks=pytest.mark.slow,
        ),
    ],
)
async def test_no_end_of_any_part_loses_or_repeats_anything(
    tmp_path: Path, course: Course, placed: int, faults: dict[str, int]
) -> None:
    report = await play(course, tmp_path / "run", print)
    print("\n".join(report.lines()))
    assert report.placed == placed
    assert report.faults == faults
    assert report.findings == []
