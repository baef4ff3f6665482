"""Which path does what."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from simulators.payments import (
    captures,
    charges,
    customers,
    disputes,
    events,
    intents,
    methods,
    refunds,
)
from simulators.payments.answers import Answer, StripeError
from simulators.payments.params import Params
from simulators.payments.provider import Provider

# (provider, parameters, ids from the path). Runs in a transaction that a StripeError
# undoes.
Operation = Callable[..., Answer]


@dataclass(frozen=True)
class Endpoint:
    operation: Operation
    ids: tuple[str, ...]

    def run(self, provider: Provider, params: Params) -> Answer:
        return self.operation(provider, params, *self.ids)


_OPERATIONS: dict[str, Operation] = {
    "POST /v1/payment_intents": intents.create,
    "GET /v1/payment_intents": intents.list_all,
    "GET /v1/payment_intents/{id}": intents.retrieve,
    "POST /v1/payment_intents/{id}": intents.update,
    "POST /v1/payment_intents/{id}/confirm": intents.confirm,
    "POST /v1/payment_intents/{id}/capture": captures.capture,
    "POST /v1/payment_intents/{id}/cancel": intents.cancel,
    "GET /v1/charges": charges.list_all,
    "GET /v1/charges/{id}": charges.retrieve,
    "POST /v1/refunds": refunds.create,
    "GET /v1/refunds": refunds.list_all,
    "GET /v1/refunds/{id}": refunds.retrieve,
    "POST /v1/refunds/{id}": refunds.update,
    "GET /v1/disputes": disputes.list_all,
    "GET /v1/disputes/{id}": disputes.retrieve,
    "POST /v1/disputes/{id}": disputes.update,
    "POST /v1/disputes/{id}/close": disputes.close,
    "POST /v1/customers": customers.create,
    "GET /v1/customers/search": customers.search,
    "GET /v1/customers/{id}": customers.retrieve,
    "DELETE /v1/customers/{id}": customers.delete,
    "GET /v1/payment_methods": methods.list_all,
    "GET /v1/payment_methods/{id}": methods.retrieve,
    "POST /v1/payment_methods/{id}/attach": methods.attach,
    "GET /v1/events": events.list_all,
    "GET /v1/events/{id}": events.retrieve,
}
_PATTERNS = [
    (re.compile(route.replace("{id}", "([^/]+)")), operation)
    for route, operation in _OPERATIONS.items()
]


def find_endpoint(method: str, path: str) -> Endpoint:
    """Raises StripeError (404), also for what Stripe has and this simulator has not."""
    for pattern, operation in _PATTERNS:
        if match := pattern.fullmatch(f"{method} {path}"):
            return Endpoint(operation, match.groups())
    raise StripeError(
        404,
        kept=False,
        type="invalid_request_error",
        message=f"Unrecognized request URL ({method}: {path}).",
    )
