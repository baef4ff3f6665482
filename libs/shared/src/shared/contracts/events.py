"""The types of events that the kernel itself writes, each with a sentence of what
happened."""

from collections.abc import Mapping

KERNEL_EVENTS: Mapping[str, str] = {
    "hold.placed": "Something waits for a person",
    "hold.assigned": "Somebody has taken a hold over",
    "hold.reminded": "Half of a hold's time has passed",
    "hold.escalated": "Nobody decided about a hold in time",
    "hold.released": "A hold was decided",
    "webhook_endpoint.created": "Another system wants to hear of events",
    "webhook_endpoint.changed": "A webhook endpoint is another than before",
    "webhook_endpoint.disabled": "Somebody has stopped the deliveries to an endpoint",
    "webhook_endpoint.enabled": "Somebody lets deliveries to an endpoint go on",
    "webhook_endpoint.secret_rotated": "Deliveries are signed with another secret",
    "webhook_endpoint.deleted": "A webhook endpoint is no more",
    "webhook_endpoint.gone": "An endpoint said that it is gone: deliveries stop",
    "webhook_endpoint.failed": "An endpoint has not answered for three days: deliveries"
    " stop",
    "webhook_delivery.failed": "One event was given up after three days",
}
