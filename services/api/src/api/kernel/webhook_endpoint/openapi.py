"""The section `webhooks` of the document: what is sent, for each type of event."""

from collections.abc import Mapping
from typing import Any

from api.kernel.standard_webhooks import TEST

_HEADERS = {
    "webhook-id": "The event's id. A repeat has the same.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "Standard Webhooks: `v1,` and the signature of the id, the"
    " time and the body; several while a secret is being replaced.",
}


def describe_webhooks(document: dict[str, Any], types: Mapping[str, str]) -> None:
    every = {**types, TEST: "Somebody tries an endpoint; no event of the feed"}
    document["webhooks"] = {
        type: {"post": _operation(type, happened)}
        for type, happened in sorted(every.items())
    }


def _operation(type: str, happened: str) -> dict[str, Any]:
    event = {"$ref": "#/components/schemas/FeedEvent"}
    only = {"properties": {"type": {"const": type}}}
    return {
        "summary": happened,
        "operationId": f"on_{type.replace('.', '_')}",
        "tags": ["webhook endpoints"],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": {"type": "string"},
            }
            for name, description in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"allOf": [event, only]}}},
        },
        "responses": {
            "2XX": {"description": "Received. Anything else is tried again."},
            "410": {"description": "Gone: nothing is sent any more."},
        },
    }
