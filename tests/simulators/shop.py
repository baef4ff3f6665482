"""A shop as the payment provider sees it: Stripe's own client, and the controls."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
import httpx2
import stripe


@dataclass(frozen=True)
class Shop:
    """api: the SDK as the worker uses it. http: for what the SDK hides or fixes."""

    api: stripe.StripeClient
    http: httpx2.AsyncClient
    control: httpx2.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        secret_key = f"sk_test_{secrets.token_hex(8)}"
        sdk_http = stripe.AIOHTTPClient(
            timeout=aiohttp.ClientTimeout(total=10),
            # Without Stripe's certificates, for loading them takes longer than a test.
            connector=aiohttp.TCPConnector(),
        )
        api = stripe.StripeClient(
            secret_key,
            base_addresses={"api": url},
            http_client=sdk_http,
            max_network_retries=0,
        )
        headers = {"Authorization": f"Bearer {secret_key}"}
        async with plain_http(url) as control, plain_http(url, headers) as http:
            try:
                yield cls(api, http, control)
            finally:
                await sdk_http.close_async()  # type: ignore[no-untyped-call]

    async def intent(
        self, method: str | None = "pm_card_visa", key: str | None = None, **fields: Any
    ) -> stripe.PaymentIntent:
        """An intent of 5000 EUR cents, confirmed if there is a method to pay with."""
        wanted: dict[str, Any] = {
            "amount": 5000,
            "currency": "EUR",
            "capture_method": "manual",
            "payment_method_types": ["card"],
            "expand": ["latest_charge"],
            **fields,
        }
        if method:
            wanted |= {"payment_method": method, "confirm": True}
        options: stripe.RequestOptions = {"idempotency_key": key or new_key()}
        create = self.api.v1.payment_intents.create_async
        return await create(wanted, options)  # type: ignore[arg-type]

    async def captured(
        self, method: str = "pm_card_visa", **fields: Any
    ) -> stripe.PaymentIntent:
        return await self.intent(method, capture_method="automatic", **fields)

    async def capture(
        self, intent: stripe.PaymentIntent, amount: int | None = None, **fields: Any
    ) -> stripe.PaymentIntent:
        wanted = fields if amount is None else {"amount_to_capture": amount, **fields}
        capture = self.api.v1.payment_intents.capture_async
        return await capture(intent.id, wanted)  # type: ignore[arg-type]

    async def refund(
        self, intent: stripe.PaymentIntent, amount: int | None = None, **fields: Any
    ) -> stripe.Refund:
        wanted = {"payment_intent": intent.id, **fields}
        if amount is not None:
            wanted["amount"] = amount
        return await self.api.v1.refunds.create_async(wanted)  # type: ignore[arg-type]

    async def current(self, intent: stripe.PaymentIntent) -> stripe.PaymentIntent:
        """The intent as the provider has it now, with its charge."""
        return await self.api.v1.payment_intents.retrieve_async(
            intent.id, {"expand": ["latest_charge"]}
        )

    async def books(self, intent: stripe.PaymentIntent) -> dict[str, Any]:
        entries = (await self.control.get("/_sim/books")).json()
        return next(e for e in entries if e["payment_intent"] == intent.id)

    async def switch_on(self, kind: str, path: str = "", **fields: Any) -> None:
        fault = {"kind": kind, "path": path, **fields}
        response = await self.control.post("/_sim/faults", json=fault)
        response.raise_for_status()

    async def settled(self) -> None:
        """Wait until no webhook is under way."""
        async with asyncio.timeout(20):
            while await self._pending():  # noqa: ASYNC110  another process's doing
                await asyncio.sleep(0.02)

    async def _pending(self) -> int:
        health = (await self.control.get("/_sim/health")).json()
        return int(health["pending_webhooks"])

    async def advance(self, seconds: float) -> None:
        body = {"advance_seconds": seconds}
        (await self.control.post("/_sim/clock", json=body)).raise_for_status()


def plain_http(url: str, headers: dict[str, str] | None = None) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        base_url=url, headers=headers, trust_env=False, verify=False
    )


def metadata_of(document: stripe.StripeObject) -> dict[str, str]:
    metadata: dict[str, str] = document["metadata"].to_dict()
    return metadata


def new_key() -> str:
    return secrets.token_hex(8)


def charge_of(intent: stripe.PaymentIntent) -> Any:
    """The expanded charge; the SDK types it as perhaps an id."""
    return intent.latest_charge
