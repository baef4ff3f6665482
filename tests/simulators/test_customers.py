"""Customers go with their cards, and what they paid stays."""

import pytest
import stripe

from tests.simulators.shop import Shop


async def test_a_deleted_customer_takes_the_saved_card_along(shop: Shop) -> None:
    customer = await shop.api.v1.customers.create_async()
    intent = await shop.captured(customer=customer.id, setup_future_usage="off_session")
    deleted = await shop.api.v1.customers.delete_async(customer.id)
    assert deleted.deleted
    for use in (
        shop.api.v1.customers.retrieve_async(customer.id),
        shop.api.v1.customers.delete_async(customer.id),
        shop.intent(customer=customer.id),
        shop.intent(str(intent.payment_method), off_session=True),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await use
    assert (await shop.refund(intent)).status == "succeeded"


async def test_a_customer_is_found_by_the_shops_own_name_for_them(shop: Shop) -> None:
    name = "o'hara \\ sons"
    made = await shop.api.v1.customers.create_async({"metadata": {"customer_id": name}})
    await shop.api.v1.customers.create_async({"metadata": {"customer_id": "other"}})
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    query = f"metadata['customer_id']:'{quoted}'"
    found = await shop.api.v1.customers.search_async({"query": query})
    assert [customer.id for customer in found.data] == [made.id]
