"""Asks a part whether it is up."""

import httpx2


async def answers(http: httpx2.AsyncClient, url: str) -> bool:
    """Whether `url` answers with success now."""
    try:
        response = await http.get(url)
    except httpx2.TransportError:
        return False
    return response.is_success
