"""Labels and tracking through EasyPost's own SDK, which blocks, and so has a thread.

EasyPost knows no idempotency keys, but finds a shipment by the reference that we gave
it: every purchase looks first. The reference names the address and the parcel too, so
that a request that was refused is made anew once they are corrected.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from typing import Any, TypeVar

from easypost.easypost_client import EasyPostClient
from easypost.errors.api.api_error import ApiError
from easypost.errors.api.invalid_request_error import InvalidRequestError
from easypost.errors.api.not_found_error import NotFoundError
from easypost.errors.general.filtering_error import FilteringError
from shared.contracts.orders.models import Parcel

from worker.orders.adapters.easypost_errors import ADDRESS, judge
from worker.orders.adapters.verdicts import Verdict
from worker.orders.ports import (
    Address,
    AddressRefused,
    Label,
    Refused,
    Tracking,
    Unavailable,
)

T = TypeVar("T")

TIMEOUT_SECONDS = 25
"""For each of the up to three requests of a purchase; most take two seconds."""
MM_PER_INCH = 25.4
GRAMS_PER_OUNCE = 28.349523125
BOUGHT_BEFORE = "SHIPMENT.POSTAGE.EXISTS"


class EasyPostCarrier:
    """`from_address` is the id of an address at EasyPost. Uses the cheapest rate.

    At most `threads` requests at a time, in threads of its own: in those that all share
    names are looked up, and a dead carrier would keep everybody from their provider."""

    name = "easypost"
    repeatable = False

    def __init__(
        self,
        api_key: str,
        from_address: str,
        api_base: str | None = None,
        *,
        threads: int = 100,
    ) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="easypost")
        base = {"api_base": api_base} if api_base else {}
        self._client: Any = EasyPostClient(api_key, timeout=TIMEOUT_SECONDS, **base)
        self._from = {"id": from_address}

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client._requests_session.close()

    async def buy_label(self, to: Address, parcel: Parcel, reference: str) -> Label:
        return await self._in_thread(self._buy, to, parcel, reference, is_return=False)

    async def buy_return_label(
        self, sender: Address, parcel: Parcel, reference: str
    ) -> Label | None:
        return await self._in_thread(
            self._buy, sender, parcel, reference, is_return=True
        )

    async def void_label(self, label_ref: str) -> None:
        await self._in_thread(self._refund, label_ref)

    async def track(self, tracking: str) -> Tracking | None:
        return await self._in_thread(self._track, tracking)

    async def _in_thread(
        self, work: Callable[..., T], *arguments: object, **named: object
    ) -> T:
        loop = asyncio.get_running_loop()
        with _translated():
            return await loop.run_in_executor(
                self._threads, partial(work, *arguments, **named)
            )

    # ── what runs in the thread ─────────────────────────────────────────────────

    def _buy(
        self, address: Address, parcel: Parcel, reference: str, *, is_return: bool
    ) -> Label:
        unique = f"{reference}:{_digest(address, parcel)}"
        shipment = self._find(unique) or self._client.shipment.create(
            reference=unique,
            # EasyPost turns the two around for a return.
            to_address=_address(address),
            from_address=self._from,
            parcel=_parcel(parcel),
            is_return=is_return,
            options={"label_format": "PDF"},
        )
        if not shipment.get("postage_label"):
            shipment = self._pay(shipment)
        return _label(shipment)

    def _find(self, reference: str) -> Any:
        try:
            return self._client.shipment.retrieve(reference)
        except NotFoundError:
            return None

    def _pay(self, shipment: Any) -> Any:
        try:
            rate = shipment.lowest_rate()
        except FilteringError:
            raise AddressRefused("no-carrier-delivers") from None
        try:
            return self._client.shipment.buy(shipment.id, rate={"id": rate.id})
        except InvalidRequestError as error:
            if error.code != BOUGHT_BEFORE:
                raise
            return self._client.shipment.retrieve(shipment.id)

    def _refund(self, label_ref: str) -> None:
        try:
            self._client.shipment.refund(label_ref)
        except InvalidRequestError:
            # It was refunded before, or used: then the tracking will tell.
            return

    def _track(self, tracking: str) -> Tracking | None:
        found = self._client.tracker.all(tracking_code=tracking, page_size=1)
        if not found["trackers"]:
            return None
        tracker = found["trackers"][0]
        scans = [scan["datetime"] for scan in tracker.get("tracking_details") or ()]
        return Tracking(
            tracking=tracking,
            status=tracker["status"],
            at=max(map(datetime.fromisoformat, scans or [tracker["updated_at"]])),
            eta=_day(tracker.get("est_delivery_date")),
        )


@contextmanager
def _translated() -> Iterator[None]:
    # Their texts may quote the address: kind and code of an error are all we keep.
    try:
        yield
    except ApiError as error:
        raise _meaning(error) from None


def _meaning(error: ApiError) -> Exception:
    words = f"{type(error).__name__} {error.http_status or ''} {error.code or ''}"
    code = error.code or f"status-{error.http_status}"
    match judge(error):
        case Verdict.REFUSED if code.startswith(ADDRESS):
            return AddressRefused("carrier-refused")
        case Verdict.REFUSED:
            return Refused(code)
        case Verdict.LATER:
            return Unavailable("easypost", words.strip())
        case _:
            return Unavailable("easypost", words.strip(), understood=False)


def _digest(address: Address, parcel: Parcel) -> str:
    named = f"{address!r}{parcel!r}".encode()
    return hashlib.sha256(named).hexdigest()[:16]


def _address(address: Address) -> dict[str, str | None]:
    known = asdict(address)
    names = {
        "street": "street1",
        "region": "state",
        "postal_code": "zip",
    }
    return {names.get(name, name): value for name, value in known.items() if value}


def _parcel(parcel: Parcel) -> dict[str, float]:
    return {
        "weight": round(parcel.weight_g / GRAMS_PER_OUNCE, 1),
        "length": round(parcel.length_mm / MM_PER_INCH, 1),
        "width": round(parcel.width_mm / MM_PER_INCH, 1),
        "height": round(parcel.height_mm / MM_PER_INCH, 1),
    }


def _label(shipment: Any) -> Label:
    tracker = shipment.get("tracker") or {}
    return Label(
        ref=shipment["id"],
        carrier=shipment["selected_rate"]["carrier"],
        tracking=shipment["tracking_code"],
        eta=_day(tracker.get("est_delivery_date")),
        url=shipment["postage_label"]["label_url"],
    )


def _day(moment: str | None) -> date | None:
    return datetime.fromisoformat(moment).date() if moment else None
