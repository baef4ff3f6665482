"""The workflow that gives free stock to waiting orders."""

from shared.contracts.orders.activities import StockSteps
from shared.contracts.orders.payloads import StockRef
from shared.contracts.orders.workflows import AllocateStock
from temporalio import workflow

from worker.orders import options


@workflow.defn(name="AllocateStock")
class AllocateStockWorkflow(AllocateStock):
    @workflow.init
    def __init__(self, ref: StockRef) -> None:
        self._ref = ref
        self._received = False

    @workflow.run
    async def run(self, ref: StockRef) -> None:
        while True:
            self._received = False
            served = await self._serve_next()
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(ref)
            if not served and not self._received:
                return

    @workflow.signal
    def received(self) -> None:
        self._received = True

    async def _serve_next(self) -> int:
        waiting = await workflow.execute_activity_method(
            StockSteps.find_waiting_orders, self._ref, **options.STOCK
        )
        if not waiting.orders:
            return 0
        served = await workflow.execute_activity_method(
            StockSteps.serve_waiting_orders, waiting, **options.STOCK
        )
        return served.units
