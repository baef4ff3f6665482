"""A file of rows: written, kept for a day, forgotten."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from shared.contracts.orders.activities import ExportSteps
from shared.contracts.orders.exports import EXPORT_LIVES
from shared.contracts.orders.payloads import Exported, ExportRef
from shared.contracts.orders.workflows import Export
from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from worker.orders import options


@workflow.defn(name="Export")
class ExportWorkflow(Export):
    @workflow.init
    def __init__(self, ref: ExportRef) -> None:
        self._ref = ref
        self._unwanted = False

    @workflow.run
    async def run(self, ref: ExportRef) -> Exported:
        expires = workflow.now() + EXPORT_LIVES
        written = await self._write()
        left = max(expires - workflow.now(), timedelta())
        with suppress(asyncio.TimeoutError):
            await workflow.wait_condition(lambda: self._unwanted, timeout=left)
        await workflow.execute_activity_method(
            ExportSteps.forget_export, ref, **options.RETENTION
        )
        return written

    @workflow.signal
    def forget(self) -> None:
        self._unwanted = True

    async def _write(self) -> Exported:
        try:
            return await workflow.execute_activity_method(
                ExportSteps.write_export, self._ref, **options.EXPORT
            )
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            return Exported(rows=0)
