"""Payment methods: a magic name becomes a payment method of its own when it is used."""

from simulators.payments.answers import Answer, Json, missing, refused
from simulators.payments.cards import CARDS, Card
from simulators.payments.objects import new_id
from simulators.payments.params import Params
from simulators.payments.provider import Provider


def card_of(method: Json) -> Card:
    return CARDS[method["_card"]]


def method_for(provider: Provider, name: str, param: str | None = None) -> Json:
    """The payment method with this id, or a new one for a magic name."""
    if name in CARDS:
        return provider.objects.add(_new_method(provider, name))
    found = provider.objects.find("payment_method", name)
    if found is None:
        raise missing("PaymentMethod", name, param)
    return found


def usable_method(provider: Provider, name: str, customer: str | None) -> Json:
    """The payment method to charge for this customer, or none.

    Raises what Stripe refuses: another customer's method, and a method that was used
    once without being saved.
    """
    method = method_for(provider, name, param="payment_method")
    owner = method["customer"]
    if owner is not None and owner != customer:
        raise refused(
            f"The PaymentMethod {method['id']} belongs to the Customer {owner}."
            " Name that customer in the `customer` parameter.",
            param="payment_method",
        )
    if owner is None and method["_used"]:
        raise refused(
            f"The PaymentMethod {method['id']} was used before without being attached"
            " to a Customer, and may not be used again.",
            param="payment_method",
        )
    return method


def keep_or_use_up(provider: Provider, method: Json, intent: Json) -> None:
    """After an authorisation: save the method if asked to, else it is spent."""
    if method["customer"] is not None:
        return
    saving = intent["setup_future_usage"] is not None
    if saving and intent["customer"] is not None:
        _attach(provider, method, intent["customer"])
    else:
        method["_used"] = "attachable" if saving else "spent"
        provider.objects.save(method)


def retrieve(provider: Provider, params: Params, method_id: str) -> Answer:
    params.only()
    return Answer(200, method_for(provider, method_id))


def attach(provider: Provider, params: Params, method_id: str) -> Answer:
    params.only("customer")
    customer = provider.objects.get("customer", params.required("customer"), "customer")
    method = method_for(provider, method_id)
    if method["customer"] not in (None, customer["id"]) or method["_used"] == "spent":
        raise refused(
            f"The PaymentMethod {method['id']} was used before or belongs to another"
            " Customer, and may not be attached.",
            param="payment_method",
        )
    return Answer(200, _attach(provider, method, customer["id"]))


def list_all(provider: Provider, params: Params) -> Answer:
    params.only("customer", "type", "limit", "starting_after", "ending_before")
    page = provider.objects.page(
        "payment_method", "/v1/payment_methods", params, "customer", "type"
    )
    return Answer(200, page)


def _attach(provider: Provider, method: Json, customer_id: str) -> Json:
    method["customer"] = customer_id
    provider.objects.save(method)
    provider.emit("payment_method.attached", method)
    return method


def _new_method(provider: Provider, name: str) -> Json:
    card = CARDS[name]
    return {
        "id": new_id("payment_method"),
        "object": "payment_method",
        "billing_details": {"address": None, "email": None, "name": None},
        "card": {
            "brand": card.brand,
            "country": "US",
            "exp_month": 12,
            "exp_year": 2040,
            "funding": "credit",
            "last4": card.last4,
        },
        "created": provider.now(),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "_card": name,
        "_used": None,
    }
