"""When an authorisation is renewed."""

from datetime import timedelta

RENEW_BEFORE = timedelta(hours=24)
"""How long before `capture_before` an authorisation is renewed."""
