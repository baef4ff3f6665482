"""Fetches labels from the carrier's own address and from nowhere else."""

import asyncio
from typing import Protocol
from urllib.parse import quote

import httpx2
from shared.contracts.errors import Refusal

from api.http.problems import Unavailable
from api.settings import ApiSettings

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 5 * 1024 * 1024


class Labelled(Protocol):
    """A parcel or a return that may have a label."""

    label_ref: str | None
    label_url: str | None


async def fetch_label(
    http: httpx2.AsyncClient, settings: ApiSettings, labelled: Labelled
) -> bytes:
    """The PDF. Raises `Refusal` where there is none, `Unavailable` for anything that
    is no label: a carrier's answer must not send us anywhere."""
    url = _address(settings, labelled)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _download(http, url)
    except (httpx2.HTTPError, TimeoutError, _NotALabel) as error:
        raise Unavailable(
            "The carrier does not give out the label right now."
        ) from error


class _NotALabel(Exception):
    pass


def _address(settings: ApiSettings, labelled: Labelled) -> httpx2.URL:
    if labelled.label_ref is None:
        raise Refusal("no-label", "No label has been bought.")
    if labelled.label_url is not None:
        return _under(settings.label_base, labelled.label_url)
    if settings.carrier_api_base is None:
        raise Refusal("no-label", "Labels for this carrier are written by hand.")
    base = settings.carrier_api_base.rstrip("/")
    return httpx2.URL(f"{base}/v1/labels/{quote(labelled.label_ref, safe='')}.pdf")


def _under(base: str, address: str) -> httpx2.URL:
    """`address`, if its scheme, host and port are those of `base`."""
    try:
        url, allowed = httpx2.URL(address), httpx2.URL(base)
    except httpx2.InvalidURL:
        raise _elsewhere() from None
    if _origin(url) != _origin(allowed) or url.userinfo:
        raise _elsewhere()
    return url


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _elsewhere() -> Unavailable:
    return Unavailable("The label is not where the carrier keeps labels.")


# Compressed answers could expand to gigabytes before anybody counts them.
_AS_IT_IS = {"Accept-Encoding": "identity"}


async def _download(http: httpx2.AsyncClient, url: httpx2.URL) -> bytes:
    async with http.stream(
        "GET", url, headers=_AS_IT_IS, follow_redirects=False
    ) as response:
        response.raise_for_status()
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _NotALabel("packed")
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in ("application/pdf", "application/octet-stream"):
            raise _NotALabel(kind)
        label = bytearray()
        async for part in response.aiter_bytes():
            label += part
            if len(label) > MAX_BYTES:
                raise _NotALabel("too large")
    if not label.startswith(b"%PDF-"):
        raise _NotALabel("no PDF")
    return bytes(label)
