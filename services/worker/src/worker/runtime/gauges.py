"""Gauges over facts: read from the database when Prometheus scrapes, and cached for a
while.

Every worker serves the same ones, so queries use `max by (…)` and never a sum.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from shared.database.engine import DATABASE_FAILURES, Engine
from shared.database.rows import Row
from sqlalchemy import text

log = logging.getLogger(__name__)

KEPT_SECONDS = 15.0
"""Prometheus' own interval: two servers that ask cost no more than one."""


@dataclass(frozen=True)
class Gauge:
    """`query` has a row for each value: the columns of `labels`, and `value`.

    `always` are label values that are 0 when the query has no row for them, so that a
    rise from nothing is visible.
    """

    name: str
    help: str
    query: str
    labels: tuple[str, ...] = ()
    always: tuple[tuple[str, ...], ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"

    def __post_init__(self) -> None:
        if not self.labels and self.always:
            raise ValueError(f"{self.name} has no labels")

    def family(self, rows: Iterable[Row]) -> Metric:
        values: dict[tuple[str, ...], float] = dict.fromkeys(self.always, 0.0)
        values |= {tuple(row.labels): row.value for row in rows}
        make = GaugeMetricFamily if self.kind == "gauge" else CounterMetricFamily
        family = make(self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


class Gauges(Collector):
    """Reads all gauges by one statement. `refresh` before the page is made."""

    def __init__(self, engine: Engine, gauges: Sequence[Gauge]) -> None:
        self._engine = engine
        self._gauges = gauges
        self.statement = " UNION ALL ".join(map(_part, gauges))
        self._rows: Sequence[Row] | None = None
        self._read_at = -KEPT_SECONDS
        self._reading = asyncio.Lock()
        self._worked = True

    async def refresh(self) -> None:
        """Read the gauges again if they are old. Does not raise if the database is
        down: then there are no gauges, since old ones would mislead."""
        async with self._reading:
            if time.monotonic() - self._read_at < KEPT_SECONDS:
                return
            try:
                self._rows = await self._read()
                worked = True
            except DATABASE_FAILURES as error:
                self._rows, worked = None, False
                if self._worked:
                    log.warning("the gauges cannot be read: %s", type(error).__name__)
            self._worked = worked
            self._read_at = time.monotonic()

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily(
            "database_figures_up", "1 while the gauges can be read from the database."
        )
        up.add_metric((), float(self._rows is not None))
        yield up
        for gauge in self._gauges if self._rows is not None else ():
            yield gauge.family(
                row for row in self._rows or () if row.gauge == gauge.name
            )

    async def _read(self) -> Sequence[Row]:
        async with self._engine.connect() as connection:
            return await connection.execute(text(self.statement))


def _part(gauge: Gauge) -> str:
    labels = ", ".join(f"cast({name} AS text)" for name in gauge.labels)
    return f"""
        SELECT '{gauge.name}' AS gauge, cast(ARRAY[{labels}] AS text[]) AS labels,
          cast(value AS float8) AS value FROM ({gauge.query}) AS read
        """  # noqa: S608 - our own words
