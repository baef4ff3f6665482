"""Whatever may hold words of people is listed here, with what becomes of them."""

from shared.database.orders import tables
from sqlalchemy import Text
from sqlalchemy.dialects.postgresql import JSONB

OURS = """
applied.key applied.process applied.subject applied.result discrepancies.id
discrepancies.kind discrepancies.process
discrepancies.subject discrepancies.detail disputes.id disputes.payment_id
disputes.reason disputes.status events.subject events.type holds.id
holds.process holds.subject holds.root holds.reason holds.detail holds.decision
inbox.source
inbox.event_id inbox.type inbox.error ledger.failure ledger.id ledger.kind
ledger.payment_id ledger.provider_ref ledger.ref ledger.status messages.error
messages.process
messages.status messages.subject messages.type notes.about notes.key notes.subject
orders.cancel_wanted orders.fulfillment_status orders.id orders.payment_status
orders.status order_lines.order_id contacts.order_id payments.id payments.order_id
payments.provider payments.provider_ref refunds.id refunds.lines refunds.order_id
refunds.reason refunds.return_id refunds.status reservations.order_id
return_lines.disposition return_lines.order_id return_lines.return_id returns.id
returns.order_id returns.status shipment_lines.order_id shipment_lines.shipment_id
shipments.cancel_wanted
shipments.capture_id shipments.id shipments.order_id shipments.parcel
shipments.status shipments.tracking_status packages.parcel packages.shipment_id
packages.tracking_status stock_movements.key stock_movements.reason
exports.id exports.kind exports.format exports.status exports.position
export_chunks.export_id
webhook_endpoints.id webhook_endpoints.status webhook_endpoints.types
webhook_endpoints.leased_by webhook_endpoints.secret webhook_endpoints.previous_secret
webhook_deliveries.endpoint webhook_deliveries.status webhook_deliveries.subject
webhook_deliveries.type webhook_deliveries.error
"""
"""Ids, states, quantities and words of the code's own."""

OF_GOODS = """
order_lines.discounts order_lines.taxes orders.shipping_taxes orders.tax_treatment
order_lines.name order_lines.sku orders.shipping_carrier orders.shipping_method
orders.shipping_name orders.shipping_service product_prices.sku products.name
products.sku shipping_methods.carrier shipping_methods.code
shipping_methods.name shipping_methods.service
reservations.location reservations.sku returns.tracking shipments.carrier
shipments.location shipments.tracking packages.carrier packages.tracking
products.hs_code stock.location stock.sku
locations.address locations.code locations.name
stock_movements.location stock_movements.ref stock_movements.sku
"""
"""The shop's names of goods, places, parcels and discounts: books, which stay."""

ERASED = """
contacts.bill_to contacts.email contacts.locale contacts.name contacts.phone
contacts.ship_to holds.assignee holds.note idempotency_keys.body
idempotency_keys.headers notes.actor notes.text orders.external_ref orders.metadata
orders.reason
payments.customer_ref payments.method_ref payments.next_action payments.return_url
return_lines.reason returns.label_ref returns.label_url shipments.label_ref
shipments.label_url shipments.spoilt_labels packages.label_ref packages.label_url
"""
"""Gone when their customer asks for it: `test_erasure.py` looks into each."""

RENAMED = """
events.actor events.data holds.decided_by holds.placed_by idempotency_keys.key
idempotency_keys.principal orders.customer orders.placed_by refunds.approved_by
refunds.requested_by returns.requested_by stock_movements.actor
discrepancies.resolved_by exports.requested_by
"""
"""Of them the customer's own id is gone, and every category and assignee in events.
Who of the staff did what stays."""

EXPIRING = "inbox.payload webhook_deliveries.response_head"
"""What the provider says of a payment, for 90 days; the first characters of what a
receiver of events, which hold no personal data, has answered, for 30."""

PARTNERS = """
webhook_endpoints.description webhook_endpoints.owner_email webhook_endpoints.url
"""
"""Of those who run the shop's other systems: deleted with their endpoint."""


def test_no_column_of_text_slips_past_an_erasure() -> None:
    listed = (OURS + OF_GOODS + ERASED + RENAMED + EXPIRING + PARTNERS).split()
    assert len(listed) == len(set(listed))
    assert set(listed) == {
        f"{table.name}.{column.name}"
        for table in tables.Order.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Text | JSONB)
    }
