"""Standard Webhooks (https://www.standardwebhooks.com), version 1 of its signature."""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes, as the specification has them."""
TEST = "webhook_endpoint.test"
"""The type of what is sent to try an endpoint."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Raises `ValueError` for what is no base64."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Of the id, the time and the body, with dots between them: `v1,…`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
