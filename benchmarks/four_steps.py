"""The smallest workflow with four steps: a module of its own, since the sandbox loads
it anew for every workflow."""

from datetime import timedelta

from temporalio import activity, workflow

TIMEOUT = timedelta(seconds=30)


@activity.defn
async def nothing() -> None:
    """What a step costs that does nothing."""


@workflow.defn
class FourSteps:
    @workflow.run
    async def run(self, local: bool) -> None:
        for _ in range(4):
            if local:
                await workflow.execute_local_activity(
                    nothing, start_to_close_timeout=TIMEOUT
                )
            else:
                await workflow.execute_activity(nothing, start_to_close_timeout=TIMEOUT)
