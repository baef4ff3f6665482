"""Labels and tracking through EasyPost's own SDK. It blocks, so it runs in threads.

EasyPost knows no idempotency keys, but finds a shipment by our reference: every
purchase looks first. The reference also names the address and the parcel, so that a
refused request is made anew once they are corrected.
"""

import asyncio
import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from easypost.easypost_client import EasyPostClient
from easypost.errors.api.api_error import ApiError
from easypost.errors.api.invalid_request_error import InvalidRequestError
from easypost.errors.api.not_found_error import NotFoundError
from easypost.errors.general.filtering_error import FilteringError
from shared.contracts.money import decimals
from shared.contracts.orders.payloads import Parcel

from worker.orders.adapters.easypost_errors import ADDRESS, judge
from worker.orders.adapters.verdicts import Verdict
from worker.orders.ports import (
    Address,
    AddressRefused,
    Consignment,
    Label,
    Refused,
    Tracking,
    Unavailable,
)

T = TypeVar("T")

TIMEOUT_SECONDS = 25
"""For each of up to three requests of a purchase; most take two seconds."""
MM_PER_INCH = 25.4
GRAMS_PER_OUNCE = 28.349523125
BOUGHT_BEFORE = "SHIPMENT.POSTAGE.EXISTS"


@dataclass(frozen=True)
class Sender:
    """The id of an address at EasyPost, and the country that it is in, if known."""

    id: str
    country: str | None = None


class EasyPostCarrier:
    """`senders` are those of locations; others send from `sender`. Uses the cheapest
    rate of the carrier and service that were promised. `signer` certifies customs
    declarations.

    At most `threads` requests at a time, in threads of its own: asyncio's shared
    threads look up names, and a dead carrier would block them for everybody.
    """

    name = "easypost"
    repeatable = False

    def __init__(
        self,
        api_key: str,
        sender: Sender,
        api_base: str | None = None,
        *,
        senders: Mapping[str, Sender] = MappingProxyType({}),
        signer: str | None = None,
        threads: int = 100,
    ) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="easypost")
        base = {"api_base": api_base} if api_base else {}
        self._client: Any = EasyPostClient(api_key, timeout=TIMEOUT_SECONDS, **base)
        self._sender = sender
        self._senders = senders
        self._signer = signer

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client._requests_session.close()

    async def buy_label(self, wanted: Consignment) -> Label:
        return await self._in_thread(self._buy, wanted, is_return=False)

    async def buy_return_label(self, wanted: Consignment) -> Label | None:
        return await self._in_thread(self._buy, wanted, is_return=True)

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

    def _buy(self, wanted: Consignment, *, is_return: bool) -> Label:
        sender = self._senders.get(wanted.location, self._sender)
        unique = f"{wanted.reference}:{_digest(wanted.address, wanted.parcel)}"
        shipment = self._find(unique) or self._client.shipment.create(
            reference=unique,
            # EasyPost swaps the two addresses for a return.
            to_address=_address(wanted.address),
            from_address={"id": sender.id},
            parcel=_parcel(wanted.parcel),
            is_return=is_return,
            options={"label_format": "PDF"},
            **self._customs(wanted, sender),
        )
        if not shipment.get("postage_label"):
            shipment = self._pay(shipment, wanted)
        return _label(shipment)

    def _customs(self, wanted: Consignment, sender: Sender) -> dict[str, Any]:
        """Added whenever the parcel may cross a border; within a country it is
        ignored."""
        if sender.country == wanted.address.country:
            return {}
        certified = self._signer is not None
        return {
            "customs_info": {
                "contents_type": "merchandise",
                "restriction_type": "none",
                "non_delivery_option": "return",
                "customs_certify": certified,
                **({"customs_signer": self._signer} if certified else {}),
                "customs_items": _items(wanted),
            }
        }

    def _find(self, reference: str) -> Any:
        try:
            return self._client.shipment.retrieve(reference)
        except NotFoundError:
            return None

    def _pay(self, shipment: Any, wanted: Consignment) -> Any:
        if not shipment.rates:
            raise AddressRefused("no-carrier-delivers")
        try:
            rate = shipment.lowest_rate(
                [wanted.carrier] if wanted.carrier else None,
                [wanted.service] if wanted.service else None,
            )
        except FilteringError:
            raise Refused("service-not-offered") from None
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
            # It was refunded before, or used: then tracking shows that.
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
    # Error texts may quote the address, so only their kind and code are kept.
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
        "weight": _tenths(parcel.weight_g / GRAMS_PER_OUNCE),
        "length": _tenths(parcel.length_mm / MM_PER_INCH),
        "width": _tenths(parcel.width_mm / MM_PER_INCH),
        "height": _tenths(parcel.height_mm / MM_PER_INCH),
    }


def _tenths(measure: float) -> float:
    """Rounded up to tenths, as carriers do, so that no measure becomes zero."""
    return math.ceil(round(measure * 10, 6)) / 10


def _items(wanted: Consignment) -> list[dict[str, Any]]:
    """Each kind of goods with its share of the parcel's weight."""
    units = sum(content.units for content in wanted.contents)
    ounces = wanted.parcel.weight_g / GRAMS_PER_OUNCE
    return [
        {
            "description": content.name,
            "quantity": content.units,
            "value": content.value / 10 ** decimals(content.currency),
            "currency": content.currency,
            "weight": _tenths(ounces * content.units / units),
            **({"hs_tariff_number": content.hs_code} if content.hs_code else {}),
            **({"origin_country": content.origin} if content.origin else {}),
        }
        for content in wanted.contents
    ]


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
