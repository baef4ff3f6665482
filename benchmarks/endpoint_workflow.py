"""The road not taken: a workflow for each webhook endpoint, told of events by signals.
A module of its own, since the sandbox loads it anew for every workflow."""

from datetime import timedelta

from temporalio import activity, workflow

TIMEOUT = timedelta(seconds=30)
BATCH = 100


@activity.defn
async def deliver(events: list[str]) -> None:
    """Costs nothing: what Temporal costs is asked."""


@workflow.defn
class Endpoint:
    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._told = 0

    @workflow.run
    async def run(self) -> None:
        while not workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(lambda: bool(self._waiting))
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            await workflow.execute_activity(
                deliver, batch, start_to_close_timeout=TIMEOUT
            )
            self._told += len(batch)
        workflow.continue_as_new()

    @workflow.signal
    def happened(self, event: str) -> None:
        self._waiting.append(event)

    @workflow.query
    def told(self) -> int:
        return self._told
