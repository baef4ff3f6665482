"""EasyPost as far as the adapter speaks to it: shipments by id or reference, trackers.

It knows no idempotency keys, as the real one does not.
"""

from typing import Any

from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

Json = dict[str, Any]

NOWHERE = "Nowhere"
"""A city that is no address; to `FAR_AWAY` no carrier goes."""
FAR_AWAY = "Far Away"
Problem = tuple[int, str]
"""Status and code of a refusal."""


class NewShipment(BaseModel):
    shipment: Json


class Purchase(BaseModel):
    rate: Json


class EasyPost:
    def __init__(self) -> None:
        self.shipments: list[Json] = []
        self.trackers: dict[str, Json] = {}
        self.url = ""
        self.refuses: Problem | None = None
        """What every purchase is answered, while it is set."""
        self.app = FastAPI()
        self.app.post("/v2/shipments", status_code=201)(self.create)
        self.app.get("/v2/shipments/{name}")(self.show)
        self.app.post("/v2/shipments/{name}/buy")(self.buy)
        self.app.post("/v2/shipments/{name}/refund")(self.refund)
        self.app.get("/v2/trackers")(self.track)
        self.app.get("/labels/{name}.pdf")(self.label)
        self.app.exception_handler(HTTPException)(_problem)

    @property
    def bought(self) -> list[Json]:
        return [s for s in self.shipments if s["postage_label"]]

    async def create(self, wanted: NewShipment) -> Json:
        city = wanted.shipment["to_address"]["city"]
        if city == NOWHERE:
            raise HTTPException(422, "ADDRESS.VERIFY.FAILURE")
        _check(wanted.shipment)
        rates = [
            {"id": f"rate_{carrier}", "rate": price, "carrier": carrier, **service}
            for carrier, price, service in (
                ("Air", "9.90", {"service": "Express"}),
                ("Road", "4.90", {"service": "Ground"}),
            )
        ]
        shipment = {
            **wanted.shipment,
            "id": f"shp_{len(self.shipments):032}",
            "object": "Shipment",
            "rates": [] if city == FAR_AWAY else rates,
            "postage_label": None,
            "refund_status": None,
        }
        self.shipments.append(shipment)
        return shipment

    async def show(self, name: str) -> Json:
        for shipment in self.shipments:
            if name in (shipment["id"], shipment["reference"]):
                return shipment
        raise HTTPException(404, "NOT_FOUND")

    async def buy(self, name: str, purchase: Purchase) -> Json:
        shipment = await self.show(name)
        if self.refuses:
            raise HTTPException(*self.refuses)
        if shipment["postage_label"]:
            raise HTTPException(422, "SHIPMENT.POSTAGE.EXISTS")
        (rate,) = (r for r in shipment["rates"] if r["id"] == purchase.rate["id"])
        number = f"EZ{len(self.trackers):010}"
        self.trackers[number] = {
            "object": "Tracker",
            "tracking_code": number,
            "status": "pre_transit",
            "updated_at": "2026-03-02T08:00:00Z",
            "est_delivery_date": "2026-03-05T00:00:00Z",
            "tracking_details": [],
        }
        shipment |= {
            "selected_rate": rate,
            "tracking_code": number,
            "tracker": self.trackers[number],
            "postage_label": {"label_url": f"{self.url}/labels/{name}.pdf"},
        }
        return shipment

    async def refund(self, name: str) -> Json:
        shipment = await self.show(name)
        if shipment["refund_status"]:
            raise HTTPException(422, "SHIPMENT.REFUND.UNAVAILABLE")
        shipment["refund_status"] = "submitted"
        return shipment

    async def track(self, tracking_code: str) -> Json:
        found = self.trackers.get(tracking_code)
        return {"trackers": [found] if found else [], "has_more": False}

    async def label(self, name: str) -> Response:
        return Response(b"%PDF-" + name.encode(), media_type="application/pdf")

    def scan(self, number: str, status: str, at: str) -> None:
        tracker = self.trackers[number]
        tracker["status"] = status
        tracker["tracking_details"].append({"status": status, "datetime": at})


def _check(shipment: Json) -> None:
    """What cannot be carried, or not over a border: this one is at home in Germany."""
    if min(shipment["parcel"].values()) <= 0:
        raise HTTPException(422, "PARCEL.INVALID")
    to = shipment["to_address"]
    if to["country"] == "DE" or shipment["is_return"]:
        return
    items = shipment.get("customs_info", {}).get("customs_items", [])
    needed = ("description", "quantity", "value", "weight")
    if not items or not all(item.get(name) for item in items for name in needed):
        raise HTTPException(422, "SHIPMENT.CUSTOMS_INFO.REQUIRED")
    if not to.get("phone"):
        raise HTTPException(422, "PHONE.REQUIRED")


async def _problem(_: Any, error: Any) -> Any:
    body = {"error": {"code": error.detail, "message": "It says.", "errors": []}}
    return JSONResponse(body, error.status_code)
