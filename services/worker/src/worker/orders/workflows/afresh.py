"""A long life in short histories."""

from temporalio import workflow


async def history_is_long() -> bool:
    """Whether to continue as new: the server suggests it at 4,096 events or 4 MB, long
    before it warns (at 10,240 or 10 MB). Returns when no command is being carried out.

    A fresh run looks at the facts and needs nothing from this one. Its children end
    with this one, and fresh ones look for themselves, as after a termination (ADR 9).
    """
    if not workflow.info().is_continue_as_new_suggested():
        return False
    await workflow.wait_condition(workflow.all_handlers_finished)
    return True
