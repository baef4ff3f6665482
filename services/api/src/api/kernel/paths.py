"""Ids in addresses. One that cannot exist is not found, whatever it is made of."""

import re
from typing import Annotated

from fastapi import Depends, Path
from shared.contracts.base import ID_BODY
from shared.contracts.errors import NotFound


def known_id(kind: str, prefix: str, value: str) -> str:
    if not re.fullmatch(f"{prefix}_{ID_BODY}", value):
        raise NotFound(kind)
    return value


async def _hold(hold_id: Annotated[str, Path(examples=[f"hld_{'0' * 26}"])]) -> str:
    return known_id("such hold", "hld", hold_id)


async def _discrepancy(
    discrepancy_id: Annotated[str, Path(examples=[f"dis_{'0' * 26}"])],
) -> str:
    return known_id("such discrepancy", "dis", discrepancy_id)


async def _endpoint(
    endpoint_id: Annotated[str, Path(examples=[f"whe_{'0' * 26}"])],
) -> str:
    return known_id("such webhook endpoint", "whe", endpoint_id)


HoldPath = Annotated[str, Depends(_hold)]
DiscrepancyPath = Annotated[str, Depends(_discrepancy)]
EndpointPath = Annotated[str, Depends(_endpoint)]
