"""Pick lists: what to fetch at a location, and for which parcels."""

from collections import Counter

from shared.contracts.errors import Refusal

from api.http.dependencies import Dependencies
from api.orders.location.queries import read_location
from api.orders.paper import schemas as shown
from api.orders.shipment.presenter import show_shipment
from api.orders.shipment.queries import shipments_to_pick


async def read_pick_list(deps: Dependencies, code: str, limit: int) -> shown.PickList:
    """Raises `Refusal` not-found, nothing-to-pick."""
    async with deps.engine.connect() as connection:
        location = await read_location(connection, code)
    found = await shipments_to_pick(deps, code, limit + 1)
    if not found:
        raise Refusal(
            "nothing-to-pick",
            f"Nothing waits to be picked at {code}. A parcel does once its order is"
            " confirmed and nothing holds it; GET /v1/shipments?status=ready says which"
            " ones are on hold.",
        )
    parcels = [show_shipment(shipment) for shipment in found[:limit]]
    units, names = Counter[str](), dict[str, str]()
    for parcel in parcels:
        for line in parcel.lines:
            units[line.sku] += line.quantity
            names[line.sku] = line.name
    return shown.PickList(
        location=code,
        name=location.name,
        items=[
            shown.PickItem(sku=sku, name=names[sku], quantity=n)
            for sku, n in sorted(units.items())
        ],
        shipments=[
            shown.PickParcel.model_validate(
                parcel.model_dump(include=set(shown.PickParcel.model_fields))
            )
            for parcel in parcels
        ],
        more=len(found) > limit,
    )
