"""Erasing what is known of a customer."""

from typing import Annotated

from fastapi import APIRouter, Response

from api.http.auth import Principal, allowed
from api.http.dependencies import Deps
from api.http.idempotency import Command, Idempotent, StoredResponse
from api.http.openapi import keyed
from api.orders.erasure.changes import begin_erasure, erase
from api.orders.erasure.schemas import Erasure, NewErasure

router = APIRouter(prefix="/v1/erasures", tags=["operators"])


@router.post("", response_model=Erasure, responses=keyed("not-found", "still-needed"))
async def erase_customer(
    caller: Annotated[Principal, allowed("admin")],
    wanted: NewErasure,
    idempotent: Idempotent,
    deps: Deps,
) -> Response:
    """Erase a customer's personal data from all their orders, for good. Refused while
    one of these has work left; the problem lists them in `orders`: cancel them, or wait
    for their end. The payment provider's copy is deleted the following night."""

    async def work(command: Command) -> StoredResponse:
        erased = await erase(
            deps, wanted.customer_id, command.memo["alias"], caller.subject
        )
        return StoredResponse(200, erased)

    return await idempotent.run(caller, wanted, work, memo=begin_erasure())
