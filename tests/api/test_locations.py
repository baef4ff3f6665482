"""Where goods lie: known places, and nothing booked anywhere else."""

import pytest

from tests.api.shop import SKU, Json, Shop, as_user, code, done, key

ADDRESS = {
    "name": "Example Shop",
    "street": "Quay 1",
    "city": "Kiel",
    "postal_code": "24103",
    "country": "DE",
}


async def test_a_location_is_made_changed_and_listed(shop: Shop) -> None:
    made = await shop.open_location("kiel", address=ADDRESS, priority=3, safety_stock=2)
    assert made == await shop.get("/v1/locations/kiel")
    assert made["address"] == ADDRESS | dict.fromkeys(["company", "street2", "region"])
    changed = await shop.open_location("kiel", active=False)
    assert (changed["active"], changed["priority"], changed["address"]) == (
        False,
        100,
        None,
    )
    await shop.open_location("Halle 1/b")
    assert (await shop.get("/v1/locations/Halle%201%2Fb"))["name"] == "Halle 1/B"
    first = await shop.get("/v1/locations", limit=1)
    rest = await shop.get("/v1/locations", limit=1, cursor=first["next_cursor"])
    listed = [one["code"] for one in first["data"] + rest["data"]]
    assert listed == ["Halle 1/b", "kiel"]
    active = await shop.get("/v1/locations", active=True)
    assert [one["code"] for one in active["data"]] == ["Halle 1/b"]


async def test_two_locations_differ_by_more_than_capitals(shop: Shop) -> None:
    await shop.open_location("berlin")
    answer = await shop.client.put("/v1/locations/Berlin", json={"name": "Berlin"})
    assert (answer.status_code, code(answer)) == (409, "duplicate-location")
    assert answer.json()["location"] == "berlin"


@pytest.mark.parametrize(
    "wrong",
    [{"priority": -1}, {"safety_stock": 1.5}, {"address": {"city": "Kiel"}}, {}],
)
async def test_a_location_that_cannot_be_is_refused(shop: Shop, wrong: Json) -> None:
    body = {"name": "Kiel"} | wrong if wrong else wrong
    answer = await shop.client.put("/v1/locations/kiel", json=body)
    assert (answer.status_code, code(answer)) == (422, "validation")
    missing = await shop.client.get("/v1/locations/kiel")
    assert (missing.status_code, code(missing)) == (404, "not-found")


async def test_nothing_is_booked_where_nobody_works(shop: Shop) -> None:
    await shop.sell()
    await shop.receive(5)
    await shop.open_location("kiel", active=False)
    for place, why in (
        ("Berlin", (422, "unknown-location")),
        ("kiel", (409, "inactive-location")),
    ):
        for path, line in (
            ("receipts", {"quantity": 1}),
            ("adjustments", {"delta": 1}),
        ):
            body = {"location": place, "ref": "1", "lines": [{"sku": SKU} | line]}
            answer = await shop.client.post(
                f"/v1/stock/{path}", json=body, headers=key()
            )
            assert (answer.status_code, code(answer)) == why
            assert answer.json()["locations"] == ["berlin"]
            assert "Use one of: berlin." in answer.json()["detail"]
    stock = (await shop.get("/v1/stock"))["data"]
    assert [(row["location"], row["on_hand"]) for row in stock] == [("berlin", 5)]


async def test_what_a_location_may_give_now_goes_to_who_waits(live: Shop) -> None:
    await live.sell(backorder=True)
    await live.open_location("berlin", safety_stock=5)
    await live.receive(5)
    order = await live.confirmed_order(2)
    assert order["lines"][0]["reserved"] == 0
    await live.open_location("berlin", safety_stock=3)
    parcel = await live.shipment(order)
    assert [line["quantity"] for line in parcel["lines"]] == [2]


async def test_a_pick_list_says_what_to_fetch_and_for_whom(stocked: Shop) -> None:
    nothing = await stocked.client.get("/v1/locations/berlin/pick-list")
    assert (nothing.status_code, code(nothing)) == (409, "nothing-to-pick")
    nowhere = await stocked.client.get("/v1/locations/atlantis/pick-list")
    assert (nowhere.status_code, code(nowhere)) == (404, "not-found")
    assert nowhere.json()["locations"] == ["berlin"]

    await stocked.sell("MUG")
    await stocked.receive(5, "MUG")
    both = [{"sku": SKU, "quantity": 1}, {"sku": "MUG", "quantity": 2}]
    orders = [
        await stocked.confirmed_order(2),
        await stocked.confirmed_order(lines=both, expected_total=None),
        await stocked.confirmed_order(1),
        await stocked.confirmed_order(4),
    ]
    parcels = [await stocked.shipment(order) for order in orders]
    await stocked.pack(parcels[0])
    held = f"/v1/orders/{orders[2]['id']}/holds"
    await stocked.post(held, {"note": "Ask first."})

    found = await stocked.get("/v1/locations/berlin/pick-list")
    assert [parcel["id"] for parcel in found["shipments"]] == [
        parcels[1]["id"],
        parcels[3]["id"],
    ]
    fetched = {item["sku"]: item["quantity"] for item in found["items"]}
    assert (fetched, found["more"]) == ({SKU: 5, "MUG": 2}, False)
    first = await stocked.get("/v1/locations/berlin/pick-list", limit=1)
    assert (len(first["shipments"]), first["more"]) == (1, True)


async def test_who_packs_sees_locations_and_changes_none(shop: Shop) -> None:
    await shop.open_location()
    walt = as_user("walt", "fulfil")
    done(await shop.client.get("/v1/locations", headers=walt))
    answer = await shop.client.put(
        "/v1/locations/berlin", json={"name": "Mine"}, headers=walt
    )
    assert (answer.status_code, code(answer)) == (403, "insufficient-scope")
