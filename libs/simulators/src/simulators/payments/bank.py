"""What the customer's bank does by itself: it disputes a payment, and decides."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from simulators.database import Database
from simulators.payments.disputes import end, open_dispute
from simulators.payments.objects import public
from simulators.payments.provider import Cause, Provider


class NewDispute(BaseModel):
    """amount: minor units; all that was captured and not refunded, unless given."""

    model_config = ConfigDict(extra="forbid")
    amount: int | None = Field(default=None, ge=1)
    reason: str = "fraudulent"
    inquiry: bool = False


class Ending(BaseModel):
    model_config = ConfigDict(extra="forbid")
    won: bool


def dispute_routes(database: Database, provider: Provider) -> APIRouter:
    router = APIRouter(prefix="/_sim")

    @router.post("/payment_intents/{intent_id}/dispute", status_code=201)
    async def dispute(
        intent_id: str, wanted: NewDispute, request: Request
    ) -> JSONResponse:
        with provider.running(_cause(request)), database.transaction():
            intent = provider.objects.get("payment_intent", intent_id)
            charge = provider.objects.get("charge", intent["latest_charge"])
            opened = open_dispute(provider, charge, **wanted.model_dump())
        return JSONResponse(public(opened), 201)

    @router.post("/disputes/{dispute_id}/end")
    async def decide(dispute_id: str, ending: Ending, request: Request) -> JSONResponse:
        with provider.running(_cause(request)), database.transaction():
            disputed = provider.objects.get("dispute", dispute_id)
            ended = end(provider, disputed, "won" if ending.won else "lost")
        return JSONResponse(public(ended))

    return router


def _cause(request: Request) -> Cause:
    return Cause(base_url=str(request.base_url))
