"""How a webhook proves where it comes from."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable

# (id of the event, body) -> headers. Signed anew for each attempt, so that a late
# retry is not refused as a replay; hence real time, also while the clock runs ahead.
Signer = Callable[[str, str], dict[str, str]]


def stripe_signer(secret: str) -> Signer:
    """Stripe's scheme: the secret is used as written, with its prefix."""

    def sign(_event_id: str, body: str) -> dict[str, str]:
        now = int(time.time())
        signed = f"{now}.{body}".encode()
        digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={now},v1={digest}"}

    return sign


def standard_webhooks_signer(secret: str) -> Signer:
    """Standard Webhooks: what follows `whsec_` is the key, in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)

    def sign(event_id: str, body: str) -> dict[str, str]:
        now = int(time.time())
        signed = f"{event_id}.{now}.{body}".encode()
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
        return {
            "webhook-id": event_id,
            "webhook-timestamp": str(now),
            "webhook-signature": f"v1,{digest.decode()}",
        }

    return sign
