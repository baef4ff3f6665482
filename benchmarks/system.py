"""The system that is measured: its real processes, on this machine."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from devstack.ports import free_ports
from devstack.stack import PARTS, Options, Stack, with_errands

NOBODY_DELIVERS = 86_400.0
"""Seconds between two rounds of the courier: parcels arrive when we say so."""


@asynccontextmanager
async def running(
    parts: tuple[str, ...] = PARTS, **environment: str
) -> AsyncIterator[Stack]:
    """A fresh system in memory: nothing is flushed, so that the disk is not measured.
    `environment` goes to every service."""
    with tempfile.TemporaryDirectory(prefix="order-services-bench-") as data:
        options = Options(
            data=Path(data) / "data",
            ports=free_ports(),
            parts=with_errands(parts),
            durable=False,
            ui=False,
            carrier_step_seconds=NOBODY_DELIVERS,
            environment={**SETTINGS, **environment},
        )
        async with Stack(options) as stack:
            yield stack


SETTINGS: Mapping[str, str] = {
    "LOG_FORMAT": "json",
    # A customer may order as often as the benchmark likes.
    "APPROVAL_BURST_ORDERS": "1000000000",
}
