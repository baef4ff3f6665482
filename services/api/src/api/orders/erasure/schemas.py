"""Erasing a customer, over HTTP."""

from pydantic import ConfigDict

from api.http.schemas import Request, Subject, View


class NewErasure(Request):
    """The id that the customer's orders have. It is in the body because URLs are
    written to logs on the way."""

    customer_id: Subject

    model_config = ConfigDict(json_schema_extra={"examples": [{"customer_id": "c-42"}]})


class Erasure(View):
    """`id` stands from now on where the customer's own id stood: it lists the orders
    that were theirs, and does not lead to the person."""

    id: str
    orders: int
