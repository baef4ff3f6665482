"""The business processes that this API has."""

from collections.abc import Mapping, Sequence

from shared.contracts.events import KERNEL_EVENTS

from api.kernel.process import Process
from api.orders.registration import ORDERS

KERNEL_SCOPES = {
    "events:read": "Follow the events of all subjects",
    "webhooks:read": "See webhook endpoints and what was delivered to them",
    "webhooks:write": "Change webhook endpoints, and see their secrets; includes"
    " webhooks:read",
    "admin": "Everything",
}
PROCESSES: Sequence[Process] = (ORDERS,)


def scopes(processes: Sequence[Process]) -> Mapping[str, str]:
    """All scopes with what they let their holders do."""
    declared = {k: v for process in processes for k, v in process.scopes.items()}
    return declared | KERNEL_SCOPES


def included_scopes(processes: Sequence[Process]) -> Mapping[str, Sequence[str]]:
    declared = {k: v for one in processes for k, v in one.included_scopes.items()}
    return declared | {"webhooks:write": ("webhooks:read",)}


def hrefs(processes: Sequence[Process]) -> Mapping[str, str]:
    """The paths of subjects, by the prefix of their ids."""
    declared = {k: v for process in processes for k, v in process.hrefs.items()}
    return declared | {"whe": "/v1/webhook-endpoints/{}"}


def event_types(processes: Sequence[Process]) -> Mapping[str, str]:
    """All types of events, with a sentence of what happened."""
    declared = {k: v for process in processes for k, v in process.events.items()}
    return {**declared, **KERNEL_EVENTS}
