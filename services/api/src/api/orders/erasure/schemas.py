"""Erasing a customer, over HTTP."""

from api.http.schemas import Request, Subject, View, examples


class NewErasure(Request):
    """The customer's id on their orders; in the body, because proxies log URLs."""

    customer_id: Subject

    model_config = examples({"customer_id": "c-42"})


class Erasure(View):
    """`id` replaces the customer's own id: it lists their former orders and does not
    identify the person."""

    id: str
    orders: int
