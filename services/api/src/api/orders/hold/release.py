"""Sends a person's decision to the workflow of the hold's subject."""

from shared.contracts.orders import payloads, workflows
from shared.contracts.orders.holds import Decision, SubjectKind, kind_of
from shared.database.orders.four_eyes import barred_from

from api.http.dependencies import Dependencies
from api.kernel.hold.schemas import StoredHold
from api.kernel.process import Decided
from api.orders.commands import commands
from api.orders.hold.routes import is_over
from api.orders.notes import keep_note
from api.orders.order import queries


async def barred(deps: Dependencies, hold: StoredHold) -> set[str]:
    async with deps.engine.connect() as connection:
        return await barred_from(connection, hold.root, hold.reason, hold.placed_by)


async def release(deps: Dependencies, hold: StoredHold, decided: Decided) -> None:
    """Release a hold. Raises the workflow's `Refusal`, or `Unavailable`. Safe to
    repeat."""
    await keep_note(
        *(deps.engine, decided.key, hold.root, decided.note),
        actor=decided.actor,
        about=hold.id,
    )
    command = payloads.ReleaseHold(
        order_id=hold.root,
        key=decided.key,
        actor=decided.actor,
        hold_id=hold.id,
        decision=Decision(decided.decision),
        lines=decided.lines,
    )
    match kind_of(hold.subject):
        case SubjectKind.RETURN:
            await commands(deps).return_(
                hold.subject, workflows.Return.release_hold, command
            )
        case SubjectKind.REFUND:
            await _release_refund(deps, hold, command)
        case _:
            await commands(deps).order(workflows.Order.release_hold, command, is_over)


async def _release_refund(
    deps: Dependencies, hold: StoredHold, command: payloads.ReleaseHold
) -> None:
    order = await queries.order(deps, hold.root)
    sender = commands(deps)
    if order.refund(hold.subject).reason.run_by_order:
        await sender.order(workflows.Order.release_hold, command, is_over)
    else:
        await sender.refund(hold.subject, workflows.Refund.release_hold, command)
