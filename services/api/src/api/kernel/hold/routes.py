"""Holds of all processes: the work queue, and decisions."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from shared.contracts.base import LineQuantity
from shared.contracts.errors import NotFound, Refusal
from shared.contracts.holds import HoldRule, decision_not_allowed
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from sqlalchemy import text

from api.http.auth import Principal, allowed
from api.http.dependencies import Dependencies, Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed, problems
from api.http.paging import moment, page_response
from api.http.paging import text as text_of
from api.http.problems import Problem, invalid
from api.http.schemas import Page
from api.kernel.hold import schemas as shown
from api.kernel.hold.presenter import show_hold, show_hold_to_decide
from api.kernel.hold.queries import LAST, page_of_holds, read_hold
from api.kernel.hold.schemas import StoredHold
from api.kernel.paths import HoldPath
from api.kernel.process import Decided, Process


def hold_routes(processes: Sequence[Process]) -> APIRouter:
    """The routes, with the scopes of all registered processes."""
    router = APIRouter(prefix="/v1", tags=["holds"])
    queue = HoldQueue(processes)
    operators = [process.operators for process in processes]
    deciders = [r.decider for process in processes for r in process.holds.values()]
    may_decide = allowed(*dict.fromkeys([*operators, *deciders]))

    @router.get("/holds", response_model=Page[shown.Hold], responses=problems())
    async def list_holds(
        request: Request,
        caller: Annotated[Principal, may_decide],
        query: Annotated[shown.HoldQuery, Query()],
        deps: Deps,
    ) -> Response:
        """List the open holds, first due first, or with `state=decided` the decided
        ones, latest first. Deciders see those of their scope."""
        holds = await queue.page(request, deps, caller, query)
        return page_response(
            request,
            holds,
            query.limit,
            queue.show,
            lambda hold: (hold.released_at or hold.due_at or LAST, hold.id),
        )

    @router.get(
        "/holds/{hold_id}",
        response_model=shown.HoldToDecide,
        responses=problems("not-found"),
    )
    async def get_hold(
        caller: Annotated[Principal, may_decide], hold_id: HoldPath, deps: Deps
    ) -> Response:
        """Show a hold as it is now, open or decided, and who must not decide on it."""
        hold = await read_hold(deps, hold_id)
        caller.require(*queue.readers(hold))
        view = await queue.to_decide(deps, hold)
        return Response(view.model_dump_json(), media_type="application/json")

    @router.post(
        "/holds/{hold_id}/assign",
        response_model=shown.Hold,
        responses=keyed("not-found", "already-released"),
    )
    async def assign_hold(
        caller: Annotated[Principal, may_decide],
        hold_id: HoldPath,
        wanted: shown.Assignment,
        idempotent: Idempotent,
        deps: Deps,
    ) -> Response:
        """Assign a hold to the person who will decide it."""
        hold = await read_hold(deps, hold_id)
        caller.require(queue.rule(hold).decider)

        async def work(command: Command) -> StoredResponse:
            await queue.assign(deps, hold, wanted.assignee, caller, command)
            return await queue.stored(deps, hold_id)

        return await idempotent.run(caller, wanted, work)

    @router.post(
        "/holds/{hold_id}/release",
        response_model=shown.Hold,
        responses=keyed(
            *("not-found", "already-released", "decision-not-allowed", "four-eyes"),
            # The decision's effect may be refused as well.
            *("already-shipped", "exceeds-refundable", "wrong-state"),
        ),
    )
    async def release_hold(
        caller: Annotated[Principal, may_decide],
        hold_id: HoldPath,
        wanted: shown.Release,
        idempotent: Idempotent,
        deps: Deps,
    ) -> Response:
        """Release a hold with a decision. Whoever caused the hold cannot decide it."""
        hold = await read_hold(deps, hold_id)
        caller.require(queue.rule(hold).decider)
        queue.require_right(hold, wanted.decision, caller)

        async def work(command: Command) -> StoredResponse:
            _check_decision(hold, queue.rule(hold), wanted, caller)
            await queue.release(deps, hold, wanted, caller, command)
            return await queue.stored(deps, hold_id)

        return await idempotent.run(caller, wanted, work)

    return router


class HoldQueue:
    """The holds of these processes, each under its own process's rules."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = {process.name: process for process in processes}

    def rule(self, hold: StoredHold) -> HoldRule:
        return self._owner(hold).holds[hold.reason]

    def show(self, hold: StoredHold) -> shown.Hold:
        return show_hold(hold, self.rule(hold), self._owner(hold).silence)

    async def to_decide(
        self, deps: Dependencies, hold: StoredHold
    ) -> shown.HoldToDecide:
        owner = self._owner(hold)
        barred = {hold.placed_by}
        if owner.barred is not None:
            barred = await owner.barred(deps, hold)
        return show_hold_to_decide(hold, self.rule(hold), owner.silence, barred)

    def readers(self, hold: StoredHold) -> tuple[str, str]:
        """The scopes that may read a hold."""
        return self._owner(hold).operators, self.rule(hold).decider

    def require_right(self, hold: StoredHold, decision: str, caller: Principal) -> None:
        """Raises a `Problem` where a decision needs more than deciding on the hold."""
        scopes = self._owner(hold).decision_scopes.get(decision)
        if scopes:
            caller.require(*scopes)

    def _owner(self, hold: StoredHold) -> Process:
        """Raises `NotFound` for a hold of a process that this API does not have."""
        if hold.process not in self._processes:
            raise NotFound(f"hold {hold.id}")
        return self._processes[hold.process]

    async def page(
        self,
        request: Request,
        deps: Dependencies,
        caller: Principal,
        query: shown.HoldQuery,
    ) -> list[StoredHold]:
        """A page and one row more, of the holds that the caller may work on."""
        known = {r for process in self._processes.values() for r in process.holds}
        if query.reason is not None and query.reason not in known:
            raise invalid("query:reason", "enum", "No hold has this reason")
        position = query.position(request, moment, text_of) or [None, None]
        return await page_of_holds(
            deps,
            query.state,
            {
                "seen": [
                    f"{process.name}/{reason}"
                    for process in self._processes.values()
                    for reason, rule in process.holds.items()
                    if caller.may(process.operators, rule.decider)
                ],
                "reason": query.reason,
                "assignee": query.assignee,
                "overdue": query.overdue,
                "subject": query.subject,
                "due": position[0],
                "id": position[1],
                "rows": query.limit + 1,
            },
        )

    async def assign(
        self,
        deps: Dependencies,
        hold: StoredHold,
        assignee: str | None,
        caller: Principal,
        command: Command,
    ) -> None:
        await change(
            deps.engine,
            self._owner(hold).subjects,
            hold.root,
            key=command.key,
            actor=caller.subject,
            apply=lambda work: _assign(work, hold.id, assignee),
            result=Done,
        )

    async def release(
        self,
        deps: Dependencies,
        hold: StoredHold,
        wanted: shown.Release,
        caller: Principal,
        command: Command,
    ) -> None:
        lines = wanted.params.lines if wanted.params else ()
        decided = Decided(
            key=command.key,
            actor=caller.subject,
            decision=wanted.decision,
            note=wanted.note,
            lines=tuple(
                LineQuantity(line=item.line, quantity=item.quantity) for item in lines
            ),
        )
        await self._owner(hold).release(deps, hold, decided)

    async def stored(self, deps: Dependencies, hold_id: str) -> StoredResponse:
        hold = await read_hold(deps, hold_id)
        return StoredResponse(200, self.show(hold))


def _check_decision(
    hold: StoredHold, rule: HoldRule, wanted: shown.Release, caller: Principal
) -> None:
    if wanted.decision not in rule.decisions:
        detail = f"A hold for {hold.reason} does not allow {wanted.decision}."
        raise decision_not_allowed(hold.reason, rule.decisions, detail)
    if hold.placed_by == caller.subject:
        raise Problem("four-eyes", "You caused this hold: somebody else decides.")


async def _assign(work: UnitOfWork, hold_id: str, assignee: str | None) -> Done:
    found = await work.connection.scalar(_ASSIGN, {"id": hold_id, "assignee": assignee})
    if found is None:
        raise Refusal("already-released", "The hold is decided already.")
    work.event("hold.assigned", hold_id=hold_id, assignee=assignee)
    return Done()


_ASSIGN = text(
    "UPDATE holds SET assignee = :assignee"
    " WHERE id = :id AND released_at IS NULL RETURNING id"
)
