"""A workflow that says one thing, fails its first task, and is replayed."""

from datetime import timedelta

from temporalio import activity, workflow

first_task_fails: list[bool] = []


@activity.defn
async def ask() -> None:
    activity.logger.info("asked")


@workflow.defn(sandboxed=False)
class Tell:
    @workflow.run
    async def run(self) -> None:
        if first_task_fails:
            first_task_fails.clear()
            raise RuntimeError("a fault of the code")
        workflow.logger.info("told")
        await workflow.execute_activity(
            ask, start_to_close_timeout=timedelta(seconds=10)
        )
