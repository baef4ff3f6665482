"""An order as a later release might handle it, which no older one could go on with.

A module of its own: the sandbox loads it anew for each workflow.
"""

from datetime import timedelta

from shared.contracts.orders.payloads import OrderEnd, OrderRef
from temporalio import workflow
from worker.orders.order.workflow import OrderWorkflow


@workflow.defn(name="Order")
class AnotherOrderWorkflow(OrderWorkflow):
    @workflow.init
    def __init__(self, ref: OrderRef) -> None:
        super().__init__(ref)

    @workflow.run
    async def run(self, ref: OrderRef) -> OrderEnd:
        # A timer, where the order that runs now looks at the facts.
        await workflow.sleep(timedelta(milliseconds=1))
        return await super().run(ref)
