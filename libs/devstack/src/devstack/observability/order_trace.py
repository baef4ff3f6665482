"""Fetches the trace of the demo's order."""

import httpx2

from devstack.services import Addresses

_PATIENCE_SECONDS = 15


async def trace_of_an_order(at: Addresses) -> str:
    """The newest trace of an order as a text tree, once its workflow has ended; without
    the workflow's own span if that takes longer than some seconds."""
    async with httpx2.AsyncClient(trust_env=False, timeout=_PATIENCE_SECONDS) as http:
        answer = await http.get(
            f"{at.traces}/latest",
            params={"root": "POST /v1/orders", "until": "RunWorkflow:Order"},
        )
    return answer.text
