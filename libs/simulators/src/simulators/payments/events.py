"""Events, for those who missed the webhooks."""

from simulators.payments.answers import Answer
from simulators.payments.params import Params
from simulators.payments.provider import Provider


def retrieve(provider: Provider, params: Params, event_id: str) -> Answer:
    params.only()
    return Answer(200, provider.objects.get("event", event_id))


def list_all(provider: Provider, params: Params) -> Answer:
    params.only("type", "created", "limit", "starting_after", "ending_before")
    return Answer(200, provider.objects.page("event", "/v1/events", params, "type"))
