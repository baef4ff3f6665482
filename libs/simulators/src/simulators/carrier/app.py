"""The carrier as an HTTP application."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from simulators.agenda import Agenda
from simulators.carrier.courier import Courier, Round
from simulators.carrier.errors import CarrierError
from simulators.carrier.labels import Label, LabelRequest, Labels
from simulators.carrier.pdf import label_pdf
from simulators.carrier.trackers import Status, Tracker, Trackers
from simulators.clock import Clock
from simulators.control import control_routes
from simulators.database import Database
from simulators.faults import Faults, answer_under_faults
from simulators.server import Loop, Simulator
from simulators.signatures import standard_webhooks_signer
from simulators.webhooks import Webhooks

Proceed = Callable[[Request], Awaitable[Response]]
Middleware = Callable[[Request, Proceed], Awaitable[Response]]


class NewScan(BaseModel):
    """occurred_at: now, unless an old scan is to be reported late."""

    model_config = ConfigDict(extra="forbid")

    status: Status
    occurred_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


def carrier_simulator(
    database: Database,
    way: Round | None,
    webhook_url: str | None,
    webhook_secret: str,
) -> Simulator:
    """Wire the carrier together; without a `way` it waits for scans by hand."""
    faults = Faults(database)
    sign = standard_webhooks_signer(webhook_secret)
    webhooks = Webhooks(database, faults, webhook_url, sign)
    trackers = Trackers(database, webhooks)
    labels = Labels(database, trackers)
    loops: list[Loop] = [webhooks.deliver]
    if way:
        agenda = Agenda(database, Clock(database))
        courier = Courier(database, labels, trackers, agenda, way)
        agenda.knows(courier.steps())
        loops += [agenda.keep, courier.collect]
    app = FastAPI(title="Carrier simulator")
    app.include_router(
        control_routes(
            *(database, faults, webhooks),
            books=lambda: [label.model_dump() for label in labels.all()],
        )
    )
    app.include_router(_label_routes(database, labels))
    app.include_router(_tracker_routes(database, trackers))
    app.middleware("http")(_misbehaving(faults))
    app.add_exception_handler(CarrierError, _refusal)
    app.add_exception_handler(RequestValidationError, _invalid)
    return Simulator(app, loops)


def _label_routes(database: Database, labels: Labels) -> APIRouter:
    router = APIRouter(prefix="/v1/labels")

    @router.post("", status_code=201)
    async def buy(
        wanted: LabelRequest,
        response: Response,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Label:
        """201 for a new label, 200 for the one that the reference has already."""
        with database.transaction():
            bought = labels.buy(wanted, idempotency_key)
        response.status_code = 201 if bought.new else 200
        return bought.label

    @router.get("/{label_id}.pdf")
    async def print_label(label_id: str) -> Response:
        label = labels.get(label_id)
        content = label_pdf(label.tracking, label.reference)
        return Response(content, media_type="application/pdf")

    @router.get("/{label_id}")
    async def show(label_id: str) -> Label:
        return labels.get(label_id)

    @router.post("/{label_id}/void")
    async def void(label_id: str) -> Label:
        return labels.void(label_id)

    return router


def _tracker_routes(database: Database, trackers: Trackers) -> APIRouter:
    router = APIRouter(prefix="/v1/trackers")

    @router.get("/{tracking}")
    async def show(tracking: str) -> Tracker:
        return trackers.get(tracking)

    @router.post("/{tracking}/scan")
    async def scan(tracking: str, seen: NewScan) -> Tracker:
        with database.transaction():
            return trackers.scan(tracking, seen.status, seen.occurred_at)

    return router


def _misbehaving(faults: Faults) -> Middleware:
    async def answer(request: Request, proceed: Proceed) -> Response:
        if request.url.path.startswith("/_sim"):
            return await proceed(request)
        return await answer_under_faults(
            faults, request, lambda: proceed(request), _out_of_order
        )

    return answer


def _out_of_order(status: int, code: str | None) -> Response:
    usual = "rate_limit" if status == 429 else "server_error"
    return _error(status, code or usual, "Try again later.")


async def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CarrierError)  # noqa: S101  registered for nothing else
    return _error(error.status, error.code, error.message)


async def _invalid(_request: Request, error: Exception) -> Response:
    return _error(422, "invalid", str(error))


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": code, "message": message}, status)
