"""The business processes that this API has."""

from collections.abc import Mapping, Sequence

from api.kernel.process import Process
from api.orders.registration import ORDERS

KERNEL_SCOPES = {
    "events:read": "Follow the events of all subjects",
    "admin": "Everything",
}
PROCESSES: Sequence[Process] = (ORDERS,)


def scopes(processes: Sequence[Process]) -> Mapping[str, str]:
    """All scopes with what they let their holders do."""
    declared = {k: v for process in processes for k, v in process.scopes.items()}
    return declared | KERNEL_SCOPES


def included_scopes(processes: Sequence[Process]) -> Mapping[str, Sequence[str]]:
    return {k: v for process in processes for k, v in process.included_scopes.items()}
