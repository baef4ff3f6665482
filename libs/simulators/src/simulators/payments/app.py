"""The payment provider as an HTTP application."""

from collections.abc import Collection
from functools import partial

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from simulators.agenda import Agenda
from simulators.clock import Clock
from simulators.control import control_routes
from simulators.database import Database
from simulators.faults import Faults
from simulators.payments import refunds
from simulators.payments.answers import StripeError
from simulators.payments.authentication import bank_routes
from simulators.payments.bank import dispute_routes
from simulators.payments.books import books
from simulators.payments.card_page import card_routes
from simulators.payments.gateway import Gateway
from simulators.payments.idempotency import IdempotencyKeys
from simulators.payments.objects import Objects
from simulators.payments.provider import Provider, Terms
from simulators.payments.release import expire
from simulators.server import Simulator
from simulators.signatures import stripe_signer
from simulators.webhooks import Webhooks


class Advance(BaseModel):
    model_config = ConfigDict(extra="forbid")
    advance_seconds: float = Field(ge=0)


class Time(BaseModel):
    """now: seconds since 1970 in simulated time; ahead_seconds: of the real time."""

    now: float
    ahead_seconds: float


def payment_simulator(
    database: Database,
    terms: Terms,
    webhook_url: str | None,
    webhook_secret: str,
    enabled_events: Collection[str] | None = None,
) -> Simulator:
    """Wire the provider together. `enabled_events` is what a webhook endpoint at Stripe
    has under that name; `None` is `*`."""
    clock = Clock(database)
    faults = Faults(database)
    signer = stripe_signer(webhook_secret)
    webhooks = Webhooks(database, faults, webhook_url, signer, enabled_events)
    agenda = Agenda(database, clock)
    provider = Provider(Objects(database), agenda, clock, webhooks, terms)
    agenda.knows(
        {
            "expire": partial(expire, provider),
            "refund_pending": partial(refunds.succeed, provider),
            "refund_failing": partial(refunds.fail, provider),
        }
    )
    gateway = Gateway(database, provider, IdempotencyKeys(database, clock), faults)
    app = FastAPI(title="Payment simulator", openapi_url=None)
    app.include_router(
        control_routes(database, faults, webhooks, lambda: books(provider.objects))
    )
    app.include_router(_clock_routes(provider))
    app.include_router(bank_routes(database, provider))
    app.include_router(dispute_routes(database, provider))
    app.include_router(card_routes())
    app.add_exception_handler(StripeError, _refusal)
    app.add_api_route("/{path:path}", gateway.handle, methods=["GET", "POST", "DELETE"])
    return Simulator(app, [agenda.keep, webhooks.deliver])


def _clock_routes(provider: Provider) -> APIRouter:
    router = APIRouter(prefix="/_sim/clock")

    @router.get("")
    async def read_clock() -> Time:
        return Time(
            now=provider.clock.now(), ahead_seconds=provider.clock.ahead_seconds
        )

    @router.post("")
    async def advance_clock(wanted: Advance) -> Time:
        """Everything that is due by then has happened when this answers."""
        provider.clock.advance(wanted.advance_seconds)
        provider.agenda.run_due()
        return await read_clock()

    return router


async def _refusal(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StripeError)  # noqa: S101  registered for nothing else
    return JSONResponse(error.answer.body, error.answer.status)
