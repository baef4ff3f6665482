"""A workflow as it was written once, and as it was changed while one was running.

Not in the sandbox, which cannot import what pytest has imported.
"""

from datetime import timedelta

from temporalio import workflow


@workflow.defn(name="Patience", sandboxed=False)
class Patience:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(days=1))

    @workflow.query
    def waits(self) -> bool:
        return True


@workflow.defn(name="Patience", sandboxed=False)
class Impatience:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "hurry", start_to_close_timeout=timedelta(minutes=1)
        )
