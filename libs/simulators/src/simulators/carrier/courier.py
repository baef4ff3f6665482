"""The courier of the dev stack, who collects and delivers by himself.

A real carrier learns of a parcel when it is handed over, so a shop has no call that
says "shipped", and the simulator adds none: it reads the shop's list of shipments.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2

from simulators.agenda import Action, Agenda
from simulators.carrier.labels import Labels
from simulators.carrier.trackers import Status, Trackers
from simulators.database import Database

# What follows what, a step apart, unless somebody scans the parcel by hand.
ROUTE = {
    Status.OUT_FOR_DELIVERY: Status.IN_TRANSIT,
    Status.DELIVERED: Status.OUT_FOR_DELIVERY,
}
TIMEOUT_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """Where the courier asks and how fast he is.

    orders_api: base URL; token: bearer token, without one he is a development user.
    step_seconds: between two looks, and between two scans of a parcel.
    """

    orders_api: str
    token: str | None
    step_seconds: float

    def headers(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"X-Dev-User": "carrier-simulator", "X-Dev-Scopes": "orders:read"}


class Courier:
    def __init__(
        self,
        database: Database,
        labels: Labels,
        trackers: Trackers,
        agenda: Agenda,
        way: Round,
    ) -> None:
        self._database = database
        self._labels = labels
        self._trackers = trackers
        self._agenda = agenda
        self._way = way
        self._silent = False

    def steps(self) -> dict[str, Action]:
        """What the agenda does for him."""
        return {status.value: partial(self._step, status) for status in ROUTE}

    async def collect(self) -> None:
        """Run until cancelled; idle while no label waits for its parcel."""
        async with httpx2.AsyncClient(
            base_url=self._way.orders_api,
            headers=self._way.headers(),
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        ) as http:
            while True:
                if self._labels.waiting():
                    self._set_off(await self._shipped(http))
                    await asyncio.sleep(self._way.step_seconds)
                else:
                    await self._labels.bought.sleep(None)

    def _set_off(self, shipped: set[str]) -> None:
        for tracking in sorted(shipped & self._labels.waiting()):
            with self._database.transaction():
                self._trackers.scan(tracking, Status.IN_TRANSIT, datetime.now(UTC))
                self._plan(tracking, Status.OUT_FOR_DELIVERY)

    def _step(self, status: Status, tracking: str) -> None:
        if self._trackers.get(tracking).status is not ROUTE[status]:
            return
        self._trackers.scan(tracking, status, datetime.now(UTC))
        for following, before in ROUTE.items():
            if before is status:
                self._plan(tracking, following)

    def _plan(self, tracking: str, status: Status) -> None:
        due = datetime.now(UTC).timestamp() + self._way.step_seconds
        self._agenda.add(due, status, tracking)

    async def _shipped(self, http: httpx2.AsyncClient) -> set[str]:
        """Tracking numbers of shipped parcels; none while the shop does not answer."""
        found: set[str] = set()
        query: dict[str, Any] = {"status": "shipped", "limit": 200}
        try:
            while True:
                response = await http.get("/v1/shipments", params=query)
                page = response.raise_for_status().json()
                boxes = (
                    b for row in page["data"] for b in row.get("packages") or [row]
                )
                found |= {box["tracking"] for box in boxes if box["tracking"]}
                if not (cursor := page.get("next_cursor")):
                    break
                query["cursor"] = cursor
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            self._complain(error)
        else:
            self._silent = False
        return found

    def _complain(self, error: Exception) -> None:
        # Once per silence: he asks twice a second.
        if not self._silent:
            logger.warning("The orders API does not answer as expected: %r", error)
        self._silent = True
