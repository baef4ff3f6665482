"""Payload keys to try with."""

import base64

from pydantic import SecretStr
from shared.platform.settings import PayloadSettings

K1 = "k1:" + base64.b64encode(b"1" * 32).decode()
K2 = "k2:" + base64.b64encode(b"2" * 32).decode()


def key_ring(*keys: str, active: str | None = None) -> PayloadSettings:
    return PayloadSettings(
        temporal_payload_keys=SecretStr(" ".join(keys)),
        temporal_payload_active_key=active,
    )
