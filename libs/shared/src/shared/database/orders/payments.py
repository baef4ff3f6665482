"""SQL about a customer's earlier payments, for placing and for the worker."""

KEY_SPENT = "key-spent"
"""Failure: the provider has stored an error under this key. No money moved, and the
next attempt gets a new key."""
NEVER_SENT = "never-sent"
"""Failure: the order was cancelled before the provider was asked."""

REMEMBERED = """
    SELECT p.customer_ref FROM payments p JOIN orders o ON o.id = p.order_id
    WHERE o.customer = :customer AND p.customer_ref IS NOT NULL
    ORDER BY p.created_at DESC LIMIT 1
"""
"""SQL for the provider's customer of an earlier order, which has the saved cards."""

AWAITED = """
    EXISTS (SELECT FROM ledger l WHERE l.payment_id = p.id
      AND l.kind = 'authorize' AND l.status = 'pending')
"""
"""SQL over a row `p` of `payments`: its authorisation has not ended yet."""

UNSUCCESSFUL = f"""
    l.kind = 'authorize' AND l.status <> 'succeeded'
    AND coalesce(l.failure, '') NOT IN ('{KEY_SPENT}', '{NEVER_SENT}')
"""
"""SQL for an attempt that has not succeeded, or not yet."""
