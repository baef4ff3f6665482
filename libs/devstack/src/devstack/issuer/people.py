"""Who there is on a development stack, and what each may do."""

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
    """Who may have a token, by which secret, and what is in it."""

    secret: str = field(repr=False)
    audience: str
    claims: Mapping[str, Any]


_SERVICES = ("temporal-worker", "fastapi-service")
TEMPORAL = {"permissions": ["orders:write"]}
"""What a service may at Temporal, as the server reads it."""


def people() -> dict[str, Account]:
    """By client id. The secrets are in form only, as is all on a development stack."""
    return {
        name: Account(f"{name}-dev", AUDIENCE, {"scope": scopes})
        for name, scopes in ROLES.items()
    }


def services() -> dict[str, Account]:
    """Their tokens are for Temporal; the development server asks for none."""
    return {name: Account(f"{name}-dev", "temporal", TEMPORAL) for name in _SERVICES}


def tokens(signer: Signer) -> dict[str, str]:
    """One for each, good for a day of work."""
    return {
        name: signer.token(name, account.audience, **account.claims)
        for name, account in people().items()
    }
