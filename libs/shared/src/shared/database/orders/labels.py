"""SQL that finds labels to void at the carrier."""

SPOILT = """s.spoilt_labels @> '[{"voided": false}]'"""
OF_CANCELLED = f"""(s.status = 'cancelled' AND (
    s.label_ref IS NOT NULL OR {SPOILT}
    OR EXISTS (SELECT FROM packages k
               WHERE k.shipment_id = s.id AND k.label_ref IS NOT NULL)))"""
"""SQL over a shipment `s`: it is cancelled, and has a valid label."""
