"""A bad day of a shop, as docs/how-to tells it: by the command line alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_newcomer import PROJECT, bash_blocks, running_system

# A machine that is busy with everything else that the tests start.
pytestmark = pytest.mark.timeout(400)


def test_four_people_get_a_bad_day_behind_them(tmp_path: Path) -> None:
    script = bash_blocks(PROJECT / "docs/how-to/a-bad-day.md")
    slow_carrier = ("--carrier-step-seconds", "3600")
    with running_system(tmp_path / "dev", *slow_carrier) as at:
        day = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-x", "-c", script],
            env={
                **os.environ,
                "ORDERS_API_URL": at["api"],
                "CARRIER": at["carrier"],
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert day.returncode == 0, day.stdout[-2000:] + day.stderr[-4000:]
    # What finance sees last.
    assert day.stdout.strip().endswith("audit_money, audit_stock, audit_ledger")
