"""What placing and the worker both ask about a customer's earlier payments."""

KEY_SPENT = "key-spent"
"""Why an attempt failed: the provider has stored an error under its key. The money did
not move, and the next attempt gets a new key."""
NEVER_SENT = "never-sent"
"""The same, of an order that was cancelled before anybody asked for its money."""

REMEMBERED = """
    SELECT p.customer_ref FROM payments p JOIN orders o ON o.id = p.order_id
    WHERE o.customer = :customer AND p.customer_ref IS NOT NULL
    ORDER BY p.created_at DESC LIMIT 1
"""
"""The provider's customer of an earlier order: it has the saved cards."""

UNSUCCESSFUL = f"""
    l.kind = 'authorize' AND l.status <> 'succeeded'
    AND coalesce(l.failure, '') NOT IN ('{KEY_SPENT}', '{NEVER_SENT}')
"""
"""A try of a card that has not succeeded, or not yet."""
