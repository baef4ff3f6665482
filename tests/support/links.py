"""Links as mails have them."""

import base64
import time
from typing import Any

from pydantic import SecretStr
from shared.contracts.orders.links import LINK_ACTIONS
from shared.platform.links import Link, LinkKeys


def a_key(id: str) -> str:
    """One that tests know by its name."""
    return f"{id}:" + base64.b64encode(id.encode().ljust(32, b"-")).decode()


LINK_KEYS = SecretStr(a_key("one"))


def link_token(order_id: str, *actions: str, keys: str = "", **changed: Any) -> str:
    """Good for all actions, unless some are named."""
    usual: dict[str, Any] = {
        "process": "orders",
        "subject": order_id,
        "actions": actions or tuple(LINK_ACTIONS),
        "language": "de-AT",
        "until": time.time() + 60,
    }
    secret = SecretStr(keys) if keys else LINK_KEYS
    return LinkKeys(secret, None).sign(Link(**(usual | changed)))


def by_link(order_id: str, *actions: str, **changed: Any) -> dict[str, str]:
    """The headers of a request."""
    token = link_token(order_id, *actions, **changed)
    return {"Authorization": f"Bearer {token}"}
