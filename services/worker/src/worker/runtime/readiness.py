"""Tells whether this worker can take an order, and if not, why."""

import asyncio
from collections.abc import Sequence
from typing import Any

from shared.database.engine import DATABASE_FAILURES, Engine
from shared.database.revision import HEAD, database_revision, fits
from shared.platform.connection import Connection
from shared.platform.health import Problems
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey
from temporalio.worker import Worker

PROBE_SECONDS = 2.0


async def missing_search_attributes(
    client: Client, wanted: Sequence[SearchAttributeKey[Any]]
) -> list[str]:
    """The search attributes that the namespace lacks, in the form that the Temporal CLI
    takes."""
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [
        f"--name {key.name} --type {_CLI_TYPES[key.indexed_value_type]}"
        for key in wanted
        if key.name not in known.custom_attributes
    ]


_CLI_TYPES = {
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.KEYWORD_LIST: "KeywordList",
}


class Readiness:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.connection: Connection | None = None
        self.workers: Sequence[Worker] = ()
        self.draining = False

    async def problems(self) -> Problems:
        """Everything that keeps the worker from being ready. The probe asks every few
        seconds; takes at most `PROBE_SECONDS`."""
        if self.draining:
            return {"worker": "draining"}
        temporal, database = await asyncio.gather(self._temporal(), self._database())
        found = {"temporal": temporal, "database": database}
        return {name: problem for name, problem in found.items() if problem}

    async def _temporal(self) -> str | None:
        if self.connection is None:
            return "not connected yet"
        if not self.workers:
            return "waiting for the search attributes"
        if not all(worker.is_running for worker in self.workers):
            return "a worker has stopped"
        return await self.connection.trouble(PROBE_SECONDS)

    async def _database(self) -> str | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                revision = await database_revision(self._engine)
        except DATABASE_FAILURES as error:
            return f"no answer: {type(error).__name__}"
        if not fits(revision):
            return f"at migration {revision}, this code needs {HEAD}"
        return None
