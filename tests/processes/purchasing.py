"""A second business process: all of it. Whoever adds `API` to the processes of the API,
and `WORKER` to those of the worker, has it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from api.http.auth import allowed
from api.http.dependencies import Dependencies
from api.http.schemas import View
from api.kernel.hold.schemas import StoredHold
from api.kernel.process import Decided, Process
from fastapi import APIRouter
from shared.contracts.holds import HoldRule
from shared.database.engine import Engine
from shared.database.kernel.holds import place_hold, release_holds
from shared.database.kernel.tables import Base
from shared.database.kernel.unit_of_work import Done, UnitOfWork, change
from shared.platform.connection import CurrentClient
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column
from temporalio import workflow
from temporalio.common import SearchAttributeKey
from worker.runtime.kernel_gauges import kernel_gauges
from worker.runtime.registry import (
    Message,
    MessageHandler,
    Queue,
    Registration,
    Schedule,
)
from worker.runtime.registry import Process as WorkerProcess
from worker.runtime.retention import forgetting_steps
from worker.settings import WorkerSettings

TABLE = """
CREATE TABLE purchases (
  id text PRIMARY KEY, version int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now())
"""


class Purchase(Base):
    __tablename__ = "purchases"
    metadata = MetaData()  # no table of the product
    owner = "purchasing"
    # The same name as an order's event, for another reader.
    notified_events = frozenset({"order.placed"})
    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


async def open_purchase(engine: Engine, purchase: str) -> None:
    """One that is above its budget."""

    async def apply(work: UnitOfWork) -> Done:
        work.event("order.placed", supplier="Assam Estates")
        await place_hold(work, "budget", due_in=timedelta(hours=1))
        return Done()

    await change(
        engine,
        Purchase,
        purchase,
        key=f"{purchase}:open",
        actor="buyer",
        apply=apply,
        result=Done,
    )


async def release(deps: Dependencies, hold: StoredHold, decided: Decided) -> None:
    async def apply(work: UnitOfWork) -> Done:
        await release_holds(work, decided.decision, hold_id=hold.id)
        return Done()

    await change(
        deps.engine,
        Purchase,
        hold.root,
        key=decided.key,
        actor=decided.actor,
        apply=apply,
        result=Done,
    )


router = APIRouter(prefix="/v1/purchases", tags=["purchases"])


class Suppliers(View):
    names: list[str]


@router.get("", dependencies=[allowed("purchasing:operate")])
async def list_suppliers() -> Suppliers:
    """List those who sell to us."""
    return Suppliers(names=["Assam Estates"])


API = Process(
    name="purchasing",
    subjects=Purchase,
    operators="purchasing:operate",
    holds={
        "budget": HoldRule(
            "a purchase is above its budget",
            decisions=("buy", "leave"),
            decider="purchasing:operate",
            due=timedelta(hours=1),
        )
    },
    release=release,
    routers=(router,),
    hrefs={"pur": "/v1/purchases/{}"},
    scopes={"purchasing:operate": "Work on purchases"},
)


@workflow.defn
class CountPurchases:
    @workflow.run
    async def run(self) -> None:
        return None


SENT: list[str] = []


async def tell_supplier(message: Message) -> bool:
    SENT.append(message.subject)
    return True


MESSAGES: Mapping[str, MessageHandler] = {"order.placed": tell_supplier}
STEPS = forgetting_steps(
    "purchasing", ended="SELECT FROM purchases p WHERE p.id = a.subject"
)
SEASON: SearchAttributeKey[Any] = SearchAttributeKey.for_keyword("Season")


def build(
    settings: WorkerSettings, engine: Engine, client: CurrentClient
) -> WorkerProcess:
    every_day = Schedule(
        "count-purchases", CountPurchases.run, "purchasing", every=timedelta(days=1)
    )
    return WorkerProcess(
        name="purchasing",
        queues=[Queue("purchasing", workflows=(CountPurchases,))],
        schedules=(every_day,),
        messages=MESSAGES,
    )


WORKER = Registration(
    build,
    workflows=(CountPurchases,),
    search_attributes=(SEASON,),
    gauges=kernel_gauges("purchasing", reasons=("budget",)),
)
