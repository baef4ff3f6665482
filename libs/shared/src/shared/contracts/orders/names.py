"""The names that are seen in the Temporal UI, typed once."""

from shared.contracts.base import ExportId, OrderId, RefundId, ReturnId, ShipmentId

# Task queues are bulkheads: a dead carrier must not delay captures.
ORDERS = "orders"
PAYMENTS = "payments"
CARRIERS = "carriers"
TASK_QUEUES = (ORDERS, PAYMENTS, CARRIERS)

WORKER = "worker"
"""The actor of what happens without a person."""


def order_workflow_id(order_id: OrderId) -> str:
    return f"order/{order_id}"


def shipment_workflow_id(shipment_id: ShipmentId) -> str:
    return f"shipment/{shipment_id}"


def refund_workflow_id(refund_id: RefundId) -> str:
    return f"refund/{refund_id}"


def allocation_workflow_id(sku: str) -> str:
    return f"allocate/{sku}"


def export_workflow_id(export_id: ExportId) -> str:
    return f"export/{export_id}"


def return_workflow_id(return_id: ReturnId) -> str:
    return f"return/{return_id}"
