"""A moment has come by Temporal's clock, which rings, and not yet by the worker's,
which judges the facts: whoever is woken a little too early must not miss it."""

from datetime import timedelta

CLOCKS_APART = timedelta(minutes=1)
"""At the most; what counts here are days."""
