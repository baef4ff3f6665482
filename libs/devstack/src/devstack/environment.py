"""Removes settings for other systems from the environment."""

from collections.abc import Mapping

from devstack.ports import HOST
from devstack.products import TOKEN_VARIABLE

# Our settings, and variables that drivers and servers read by themselves: PGSSLMODE and
# the like, WEB_CONCURRENCY.
_FOREIGN = (
    *("TEMPORAL_", "STRIPE_", "DATABASE_", "CARRIER", "SMTP_", "OIDC_", "API_"),
    "CONSOLE_",
    *("PG", "WEB_CONCURRENCY", "WEBHOOK_"),
    TOKEN_VARIABLE,
)
_ON_LOOPBACK = (HOST, "localhost")


def without_foreign_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without them. Proxies stay, but not for local addresses."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(_FOREIGN)
    }
    # Programs read either spelling.
    direct = {
        name: ",".join((*filter(None, [kept.get(name)]), *_ON_LOOPBACK))
        for name in ("no_proxy", "NO_PROXY")
    }
    return kept | direct
