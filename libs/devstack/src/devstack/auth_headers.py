"""Authenticates the stack's own people at the API."""

from typing import Protocol

from devstack.issuer.signer import Signer

AUDIENCE = "orders"


class AuthHeaders(Protocol):
    """Headers for somebody with these scopes."""

    def __call__(self, user: str, *scopes: str) -> dict[str, str]: ...


def by_header(user: str, *scopes: str) -> dict[str, str]:
    """Headers that the API accepts without an issuer."""
    return {"X-Dev-User": user, "X-Dev-Scopes": " ".join(scopes)}


def by_token(signer: Signer) -> AuthHeaders:
    """Headers that the API needs with `dev --auth`."""

    def auth_headers(user: str, *scopes: str) -> dict[str, str]:
        token = signer.token(user, AUDIENCE, scope=" ".join(scopes))
        return {"Authorization": f"Bearer {token}"}

    return auth_headers
