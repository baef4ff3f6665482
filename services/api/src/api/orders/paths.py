"""Ids in addresses. One that cannot exist is not found, whatever it is made of."""

import re
from typing import Annotated

from fastapi import Depends, Path
from shared.contracts.base import ID_BODY
from shared.contracts.errors import NotFound

_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _is(kind: str, prefix: str, value: str) -> str:
    if not re.fullmatch(f"{prefix}_{ID_BODY}", value):
        raise NotFound(kind)
    return value


async def _order(order_id: Annotated[str, Path(examples=[f"ord_{'0' * 26}"])]) -> str:
    return _is("such order", "ord", order_id)


async def _shipment(
    shipment_id: Annotated[str, Path(examples=[f"shp_{'0' * 26}"])],
) -> str:
    return _is("such shipment", "shp", shipment_id)


async def _return(return_id: Annotated[str, Path(examples=[f"ret_{'0' * 26}"])]) -> str:
    return _is("such return", "ret", return_id)


async def _refund(refund_id: Annotated[str, Path(examples=[f"ref_{'0' * 26}"])]) -> str:
    return _is("such refund", "ref", refund_id)


async def _hold(hold_id: Annotated[str, Path(examples=[f"hld_{'0' * 26}"])]) -> str:
    return _is("such hold", "hld", hold_id)


async def _discrepancy(
    discrepancy_id: Annotated[str, Path(examples=[f"dis_{'0' * 26}"])],
) -> str:
    return _is("such discrepancy", "dis", discrepancy_id)


async def _sku(sku: Annotated[str, Path(examples=["TEA-ASSAM"])]) -> str:
    if not _SKU.fullmatch(sku):
        raise NotFound("such product")
    return sku


OrderPath = Annotated[str, Depends(_order)]
ShipmentPath = Annotated[str, Depends(_shipment)]
ReturnPath = Annotated[str, Depends(_return)]
RefundPath = Annotated[str, Depends(_refund)]
HoldPath = Annotated[str, Depends(_hold)]
DiscrepancyPath = Annotated[str, Depends(_discrepancy)]
SkuPath = Annotated[str, Depends(_sku)]
