"""What runs by the clock."""

from datetime import timedelta

from shared.contracts.orders.activities import SweepSteps
from shared.contracts.orders.workflows import Sweep
from temporalio import workflow

from worker.orders.workflows import options


@workflow.defn(name="Sweep")
class SweepWorkflow(Sweep):
    @workflow.run
    async def run(self) -> None:
        for step in (
            SweepSteps.start_missing_orders,
            SweepSteps.nudge_overdue_orders,
            SweepSteps.allocate_free_stock,
            SweepSteps.audit,
        ):
            await workflow.execute_activity_method(step, **options.SWEEP)


SWEEP_EVERY = timedelta(minutes=5)
