"""The people of a development stack, and their scopes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.auth_headers import AUDIENCE
from devstack.issuer.signer import Signer

ROLES = {
    "storefront": "orders:write orders:read",
    "warehouse": "fulfil stock:write",
    "support": "orders:operate refunds:write events:read",
    "finance": "refunds:any money:read events:read",
    "approver": "approvals events:read",
    "integration": "events:read webhooks:write",
    "admin": "admin",
    "anna": "orders:own",
}
"""The scopes of each; `anna` is a customer. In production Authentik's groups give the
same (a test compares them)."""


@dataclass(frozen=True)
class Account:
    """An account: its secret, and the claims of its tokens."""

    secret: str = field(repr=False)
    audience: str
    claims: Mapping[str, Any]


_SERVICES = ("temporal-worker", "fastapi-service")
TEMPORAL = {"permissions": ["orders:write"]}
"""What a service may at Temporal, as the server reads it."""


def people() -> dict[str, Account]:
    """Accounts by client id. Like everything on a development stack, the secrets
    protect nothing."""
    return {
        name: Account(f"{name}-dev", AUDIENCE, {"scope": scopes})
        for name, scopes in ROLES.items()
    }


def services() -> dict[str, Account]:
    """Their tokens are for Temporal; the development server asks for none."""
    return {name: Account(f"{name}-dev", "temporal", TEMPORAL) for name in _SERVICES}


def tokens(signer: Signer) -> dict[str, str]:
    """A token for each, valid for a working day."""
    return {
        name: signer.token(name, account.audience, **account.claims)
        for name, account in people().items()
    }
