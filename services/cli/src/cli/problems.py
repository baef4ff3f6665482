"""Errors in words that say what to do next."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]


_BLANKS = dict.fromkeys(map(ord, "\n\t\u00a0\u202f\u3000"), " ")


def harmless(text: str) -> str:
    """Make foreign text safe for a terminal: escape sequences (ECMA-48) and characters
    that reverse a line are shown instead of obeyed."""
    if text.translate(_BLANKS).isprintable():
        return text
    shown = (c if c.translate(_BLANKS).isprintable() else _escaped(c) for c in text)
    return "".join(shown)


def _escaped(character: str) -> str:
    """As JSON writes it, so that a document stays one."""
    return json.dumps(character)[1:-1]


class CliError(Exception):
    """The message is for the person at the terminal; nothing else is shown."""

    def __init__(self, message: str) -> None:
        super().__init__(harmless(message))


class ApiProblem(CliError):
    """The API said no, by a problem document (RFC 9457)."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.document = document
        self.code = str(document.get("type", "")).rpartition("/")[2]
        super().__init__("\n".join(self._lines()))

    @property
    def passes(self) -> bool:
        """Whether a repeat of the same request can succeed."""
        return self.status >= 500

    def _lines(self) -> Iterator[str]:
        document = self.document
        yield f"{document.get('title', 'The API refuses')} ({self.code or self.status})"
        if document.get("detail"):
            yield str(document["detail"])
        for error in document.get("errors") or ():
            yield f"  {error['pointer']}: {error['detail']}"
        for name, value in document.items():
            if name not in _KNOWN:
                yield f"  {name}: {_written(value)}"
        hint = HINTS.get(self.code)
        if hint:
            yield f"→ {hint}"
        if self.status >= 500 and document.get("trace_id"):
            yield f"  trace id for those who look into it: {document['trace_id']}"


def _written(value: object) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Unreachable(CliError):
    passes = True

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"No answer from {url} ({why}).\n"
            "→ Is ORDERS_API_URL right? On your own machine"
            " `uv run dev` starts it."
        )


class SomethingElse(CliError):
    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} answers, but not as the API does.\n→ Is ORDERS_API_URL right?"
        )


_KNOWN = {"type", "title", "status", "detail", "instance", "trace_id", "errors"}

HINTS = {
    "unauthenticated": "Put a valid access token into ORDERS_TOKEN; on a development"
    " stack without --auth, ORDERS_USER and ORDERS_SCOPES say who you are.",
    "insufficient-scope": "Somebody with that scope has to do it, or ask for it.",
    "duplicate-reference": "Is it the same? Goods that came once more: --again.",
    "no-label": "Write it by hand: `orders shipments relabel` notes its number.",
    "four-eyes": "Leave it to a colleague: `orders holds assign HOLD THEIR-NAME`.",
    "not-found": "Look it up: `orders list -q NUMBER`, `orders holds list`.",
    "already-shipped": "What has left can only come back: `orders return`.",
    "already-released": "See what was decided: `orders events ORDER`.",
    "decision-not-allowed": "`orders holds list` shows the decisions of each hold.",
    "deduction-exceeds-value": "Keep at most `most`, or discard without accepting.",
    "exceeds-refundable": "Refund at most what is `refundable`.",
    "on-hold": "`orders process ORDER` says who has to decide what.",
    "payment-failed": "The customer needs another method: `orders pay ORDER METHOD`.",
    "price-changed": "Place it again with the current prices: `orders products list`.",
    "unknown-sku": "Make it a product first: `orders products put SKU …`.",
    "would-go-negative": "`orders stock show SKU` says what is reserved.",
    "insecure-endpoint": "On your own machine: `orders listen --forward-to URL`.",
    "private-address": "On your own machine: `orders listen --forward-to URL`.",
    "unknown-event-type": "`orders events` shows some of them.",
    "too-many-endpoints": "Delete one: `orders webhook-endpoint delete ENDPOINT`.",
    "wrong-state": "`orders process ORDER` says what comes next.",
    "idempotency-key-reused": "Leave --key out, and the command gets a new one.",
    "too-many-requests": "Wait a little, then send it again.",
    "unavailable": "Nothing is wrong with the command: send it again.",
}
"""What to do about a problem, by its code."""
