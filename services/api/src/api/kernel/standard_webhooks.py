"""Standard Webhooks (https://www.standardwebhooks.com), version 1 of its signature."""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
SHORTEST_KEY, LONGEST_KEY = 24, 64
"""Bytes, as the specification has them."""
TEST = "webhook_endpoint.test"
"""The type of the event that tests an endpoint."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret. Raises `ValueError` if it is not base64."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature `v1,…` of id, time and body, joined by dots."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
