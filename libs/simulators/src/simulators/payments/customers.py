"""Customers: little more than a hook for saved payment methods."""

import re

from simulators.payments.answers import Answer, invalid
from simulators.payments.objects import new_id
from simulators.payments.params import Params
from simulators.payments.provider import Provider


def create(provider: Provider, params: Params) -> Answer:
    params.only("name", "email", "phone", "description", "metadata")
    customer = {
        "id": new_id("customer"),
        "object": "customer",
        "created": provider.now(),
        "description": params.text("description"),
        "email": params.text("email"),
        "invoice_settings": {"default_payment_method": None},
        "livemode": False,
        "metadata": params.metadata(),
        "name": params.text("name"),
        "phone": params.text("phone"),
    }
    provider.objects.add(customer)
    provider.emit("customer.created", customer)
    return Answer(200, customer)


def search(provider: Provider, params: Params) -> Answer:
    """By one member of the metadata: `metadata['customer_id']:'kim'`. Stripe's index
    lags by up to a minute; this one does not."""
    params.only("query", "limit", "page")
    asked = _QUERY.fullmatch(params.required("query"))
    if asked is None:
        raise invalid("We were unable to parse your search query.", "query")
    name, value = asked["name"], re.sub(r"\\(.)", r"\1", asked["value"])
    found = provider.objects.with_metadata("customer", name, value)
    return Answer(
        200,
        {
            "object": "search_result",
            "url": "/v1/customers/search",
            "has_more": False,
            "next_page": None,
            "data": found,
        },
    )


_QUERY = re.compile(
    r"metadata\['(?P<name>[\w -]+)'\]:'(?P<value>(?:[^'\\]|\\.)*)'", re.DOTALL
)


def retrieve(provider: Provider, params: Params, customer_id: str) -> Answer:
    params.only()
    return Answer(200, provider.objects.get("customer", customer_id))


def delete(provider: Provider, params: Params, customer_id: str) -> Answer:
    """With it go its saved methods; payments stay, and can be refunded."""
    params.only()
    customer = provider.objects.get("customer", customer_id)
    for method in provider.objects.all("payment_method"):
        if method["customer"] == customer_id:
            provider.objects.save(method | {"customer": None, "_used": "spent"})
    provider.objects.remove(customer)
    provider.emit("customer.deleted", customer)
    return Answer(200, {"id": customer_id, "object": "customer", "deleted": True})
