"""A table whose rows each take long: some are in the suite, all of them in `slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(rows: Iterable[Any], *suite: Any) -> list[Any]:
    """`rows` for `pytest.mark.parametrize`: those in `suite` run with every suite, the
    others are slow."""
    known = list(rows)
    missing = [row for row in suite if row not in known]
    assert not missing, f"the sample has what the table has not: {missing}"
    return [row if row in suite else _slow(row) for row in known]


def _slow(row: Any) -> Any:
    values = row if isinstance(row, tuple) else (row,)
    return pytest.param(*values, marks=pytest.mark.slow)
