"""Ids in addresses. One of ours that cannot exist is not found, whatever it is made of;
one of the caller's own that cannot be is refused."""

from typing import Annotated

from fastapi import Depends, Path
from shared.contracts.errors import NotFound
from sqlalchemy import text

from api.http.dependencies import Deps
from api.http.schemas import Sku, Word
from api.kernel.paths import known_id


async def _order(
    order_id: Annotated[
        str, Path(description="Its id, or number.", examples=[f"ord_{'0' * 26}"])
    ],
    deps: Deps,
) -> str:
    number = number_in(order_id)
    if number is None:
        return known_id("such order", "ord", order_id)
    async with deps.engine.connect() as connection:
        known: str | None = await connection.scalar(_NUMBERED, {"number": number})
    if known is None:
        raise NotFound("such order")
    return known


def number_in(name: str) -> int | None:
    """`1001`, or `#1001` as shops print it."""
    digits = name.strip().removeprefix("#")
    known = digits.isascii() and digits.isdecimal() and len(digits) <= 18
    return int(digits) if known else None


_NUMBERED = text("SELECT id FROM orders WHERE number = :number")


async def _shipment(
    shipment_id: Annotated[str, Path(examples=[f"shp_{'0' * 26}"])],
) -> str:
    return known_id("such shipment", "shp", shipment_id)


async def _return(return_id: Annotated[str, Path(examples=[f"ret_{'0' * 26}"])]) -> str:
    return known_id("such return", "ret", return_id)


async def _refund(refund_id: Annotated[str, Path(examples=[f"ref_{'0' * 26}"])]) -> str:
    return known_id("such refund", "ref", refund_id)


async def _export(export_id: Annotated[str, Path(examples=[f"exp_{'0' * 26}"])]) -> str:
    return known_id("such export", "exp", export_id)


async def _sku(sku: Annotated[Sku, Path(examples=["TEA-ASSAM"])]) -> str:
    return sku


async def _location(code: Annotated[Word, Path(examples=["berlin"])]) -> str:
    return code


OrderPath = Annotated[str, Depends(_order)]
ShipmentPath = Annotated[str, Depends(_shipment)]
ReturnPath = Annotated[str, Depends(_return)]
RefundPath = Annotated[str, Depends(_refund)]
ExportPath = Annotated[str, Depends(_export)]
SkuPath = Annotated[str, Depends(_sku)]
LocationPath = Annotated[str, Depends(_location)]
