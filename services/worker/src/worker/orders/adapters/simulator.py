"""The carrier simulator of the development stack."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import httpx2
from shared.platform.telemetry import TracedTransport

from worker.orders.ports import (
    AddressRefused,
    Consignment,
    Label,
    Refused,
    Tracking,
    Unavailable,
)


class CarrierSimulator:
    name = "simulator"
    repeatable = True

    def __init__(self, api_base: str) -> None:
        self._http = httpx2.AsyncClient(
            base_url=api_base, timeout=10, transport=TracedTransport()
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def buy_label(self, wanted: Consignment) -> Label:
        with _translated():
            answer = await self._http.post(
                "/v1/labels",
                json={
                    "reference": wanted.reference,
                    "to": asdict(wanted.address),
                    "sender": wanted.location,
                    "service": wanted.service,
                    "customs": [asdict(content) for content in wanted.contents],
                    **wanted.parcel.model_dump(),
                },
                headers={"Idempotency-Key": wanted.reference},
            )
        if answer.status_code == httpx2.codes.UNPROCESSABLE_CONTENT:
            raise AddressRefused("carrier-refused")
        body = _body(answer)
        return Label(
            ref=body["id"],
            carrier=body["carrier"],
            tracking=body["tracking"],
            eta=date.fromisoformat(body["eta"]) if body.get("eta") else None,
        )

    async def buy_return_label(self, wanted: Consignment) -> Label | None:
        # It prints one address and knows no direction.
        return await self.buy_label(wanted)

    async def void_label(self, label_ref: str) -> None:
        with _translated():
            answer = await self._http.post(f"/v1/labels/{label_ref}/void")
        # 409: it was scanned already; the tracking will tell.
        if answer.status_code != httpx2.codes.CONFLICT:
            _body(answer)

    async def track(self, tracking: str) -> Tracking | None:
        with _translated():
            answer = await self._http.get(f"/v1/trackers/{tracking}")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        body = _body(answer)
        return Tracking(
            tracking=tracking,
            status=body["status"],
            at=datetime.fromisoformat(body["occurred_at"]),
            eta=date.fromisoformat(body["eta"]) if body.get("eta") else None,
        )


_LATER = (httpx2.codes.CONFLICT, httpx2.codes.TOO_MANY_REQUESTS)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except httpx2.TransportError as error:
        raise Unavailable("carrier", type(error).__name__) from error


def _body(answer: httpx2.Response) -> dict[str, Any]:
    if answer.is_client_error and answer.status_code not in _LATER:
        raise Refused(answer.json().get("code") or f"status-{answer.status_code}")
    if not answer.is_success:
        raise Unavailable("carrier", f"status {answer.status_code}")
    body: dict[str, Any] = answer.json()
    return body
