"""Writes the document's section `webhooks`: what is sent for each type of event."""

from collections.abc import Mapping
from typing import Any

from api.kernel.standard_webhooks import TEST

_HEADERS = {
    "webhook-id": "The event's id. A repeat has the same.",
    "webhook-timestamp": "When it was sent, in seconds since 1970.",
    "webhook-signature": "Standard Webhooks: `v1,` and the signature of the id, the"
    " time and the body; several while a secret is being replaced.",
}
_ANSWERS = {
    "2XX": ("event-received", "Received. Anything else is tried again."),
    "410": ("event-gone", "Gone: nothing is sent any more."),
}


def describe_webhooks(document: dict[str, Any], types: Mapping[str, str]) -> None:
    every = {**types, TEST: "Somebody tries an endpoint; no event of the feed"}
    components = document.setdefault("components", {})
    components.setdefault("parameters", {}).update(
        {name: _header(name, meaning) for name, meaning in _HEADERS.items()}
    )
    components.setdefault("responses", {}).update(
        {name: {"description": meaning} for name, meaning in _ANSWERS.values()}
    )
    document["webhooks"] = {
        type: {"post": _operation(type, happened)}
        for type, happened in sorted(every.items())
    }


def _header(name: str, meaning: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": meaning,
        "schema": {"type": "string"},
    }


def _operation(type: str, happened: str) -> dict[str, Any]:
    event = {"$ref": "#/components/schemas/FeedEvent"}
    only = {"properties": {"type": {"const": type}}}
    return {
        "summary": happened,
        "operationId": f"on_{type.replace('.', '_')}",
        "tags": ["webhook endpoints"],
        "parameters": [{"$ref": f"#/components/parameters/{n}"} for n in _HEADERS],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"allOf": [event, only]}}},
        },
        "responses": {
            status: {"$ref": f"#/components/responses/{name}"}
            for status, (name, _) in _ANSWERS.items()
        },
    }
