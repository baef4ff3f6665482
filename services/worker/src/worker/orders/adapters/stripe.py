"""Payments through Stripe's own SDK. Its outcomes are translated here, once: what an
error means is in `stripe_errors`. Temporal retries, so the SDK does not."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar, cast

import aiohttp
import stripe
from shared.contracts.orders.charging import charging
from shared.contracts.orders.states import DisputeStatus
from shared.platform.telemetry import answered, calling

from worker.orders.adapters.stripe_errors import judge
from worker.orders.adapters.verdicts import Verdict
from worker.orders.ports import (
    Authorization,
    Booked,
    KeySpent,
    MovedOn,
    ProviderDispute,
    ProviderPayment,
    ProviderRefund,
    Refused,
    Unavailable,
    declined,
)

T = TypeVar("T")

EXPAND = ["latest_charge"]
MISSING = "resource_missing"

CAPTURED_FOR = "captured_for"
"""Metadata key: what the last capture was for. There is one capture at a time."""

# People wait for most of these requests. Stripe answers nearly all within two seconds.
TIMEOUT = timedelta(seconds=25)

SPENT_KEYS_AT_MOST = 5
"""How many keys in a row may answer a stored error before this try gives up."""

STATUS: dict[str, Literal["authorized", "requires_action", "cancelled", "captured"]] = {
    "requires_capture": "authorized",
    "requires_action": "requires_action",
    "canceled": "cancelled",
    "succeeded": "captured",
}
"""Every other state of a PaymentIntent means that the method was declined."""


class StripePayments:
    name = "stripe"

    def __init__(self, api_key: str, api_base: str | None = None) -> None:
        self._http = _TracedClient(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT.total_seconds())
        )
        self._stripe = stripe.StripeClient(
            api_key,
            http_client=self._http,
            max_network_retries=0,
            base_addresses={"api": api_base} if api_base else {},
        ).v1

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def customer(self, customer: str) -> str:
        quoted = customer.replace("\\", "\\\\").replace("'", "\\'")
        # Not every account may search.
        with suppress(Refused), _translated():
            known = await self._stripe.customers.search_async(
                {"query": f"metadata['customer_id']:'{quoted}'", "limit": 1}
            )
            if known.data:
                return known.data[0].id
        # The search lags behind: until it has caught up, the key makes no second one.
        made = await _harmless(
            f"customer:{customer}",
            lambda key: self._stripe.customers.create_async(
                {"metadata": {"customer_id": customer}}, {"idempotency_key": key}
            ),
        )
        return made.id

    async def erase_customer(self, ref: str) -> None:
        try:
            with _translated():
                await self._stripe.customers.delete_async(ref)
        except Refused as refused:
            if refused.code != MISSING:
                raise

    async def authorize(self, wanted: Authorization, key: str) -> ProviderPayment:
        if charging(wanted.currency) is None:
            return _declined(Refused("currency-not-supported"))
        params: dict[str, Any] = {
            "amount": wanted.amount,
            "currency": wanted.currency.lower(),
            "customer": wanted.customer_ref,
            "payment_method": wanted.method_ref,
            "payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": True,
            "metadata": {
                "order_id": wanted.order_id,
                "payment_id": wanted.payment_id,
            },
            "payment_method_options": {
                "card": {"request_multicapture": "if_available"}
            },
            "expand": EXPAND,
        }
        if wanted.off_session:
            params["off_session"] = True
        else:
            params["setup_future_usage"] = "off_session"
            if wanted.return_url:
                params["return_url"] = wanted.return_url
        try:
            with _translated():
                intent = await self._stripe.payment_intents.create_async(
                    cast(Any, params), {"idempotency_key": key}
                )
        except Refused as refused:
            return _declined(refused)
        return _payment(intent)

    async def find(
        self, wanted: Authorization, since: datetime
    ) -> ProviderPayment | None:
        # The customer has few payments, so this is one page; a search index would lag.
        with suppress(Refused), _translated():
            page = await self._stripe.payment_intents.list_async(
                {
                    "customer": wanted.customer_ref,
                    "created": {"gte": int((since - timedelta(hours=1)).timestamp())},
                    "limit": 100,
                    "expand": [f"data.{name}" for name in EXPAND],
                }
            )
            async for intent in page.auto_paging_iter():
                if _metadata(intent).get("payment_id") == wanted.payment_id:
                    return _payment(intent)
        return None

    async def payment(self, ref: str) -> ProviderPayment:
        try:
            with _translated():
                intent = await self._stripe.payment_intents.retrieve_async(
                    ref, {"expand": EXPAND}
                )
        except Refused as refused:
            return _declined(refused, ref)
        return _payment(intent)

    async def booked(self, ref: str) -> Booked | None:
        try:
            with _translated():
                intent = await self._stripe.payment_intents.retrieve_async(ref)
        except Refused as refused:
            if refused.code != MISSING:
                raise
            return None
        return Booked(
            ref=intent.id,
            payment_id=_metadata(intent).get("payment_id"),
            cancelled=intent.status == "canceled",
            held=intent.amount_capturable,
            captured=intent.amount_received,
            refunded=await self._refunded(ref) if intent.amount_received else 0,
        )

    async def _refunded(self, ref: str) -> int:
        with _translated():
            page = await self._stripe.refunds.list_async(
                {"payment_intent": ref, "limit": 100}
            )
            return sum(
                [
                    refund.amount
                    async for refund in page.auto_paging_iter()
                    if refund.status not in ("failed", "canceled")
                ]
            )

    async def changed_payments(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[str]:
        moments = {"gte": int(since.timestamp()), "lt": int(until.timestamp()) + 1}
        with _translated():
            page = await self._stripe.events.list_async(
                {"created": cast(Any, moments), "limit": 100}
            )
            async for event in page.auto_paging_iter():
                ref = _payment_of(event.data.object)
                if ref is not None:
                    yield ref

    async def capture(
        self, ref: str, amount: int, *, final: bool, what: str, key: str
    ) -> ProviderPayment:
        params: dict[str, Any] = {
            "amount_to_capture": amount,
            "metadata": {CAPTURED_FOR: what},
            "expand": EXPAND,
        }
        if not final:
            params["final_capture"] = False
        try:
            with _translated():
                intent = await self._stripe.payment_intents.capture_async(
                    ref, cast(Any, params), {"idempotency_key": key}
                )
        except MovedOn:
            return await self.payment(ref)
        except Refused as refused:
            return _declined(refused, ref)
        return _payment(intent)

    async def release(self, ref: str, key: str) -> ProviderPayment:
        try:
            intent = await _harmless(
                key,
                lambda key: self._stripe.payment_intents.cancel_async(
                    ref, {"expand": EXPAND}, {"idempotency_key": key}
                ),
            )
        except MovedOn:
            return await self.payment(ref)
        except Refused as refused:
            return _declined(refused, ref)
        return _payment(intent)

    async def refund(
        self, ref: str, amount: int, *, refund_id: str, key: str
    ) -> ProviderRefund:
        try:
            with _translated():
                refund = await self._stripe.refunds.create_async(
                    {
                        "payment_intent": ref,
                        "amount": amount,
                        "metadata": {"refund_id": refund_id, "ledger_id": key},
                    },
                    {"idempotency_key": key},
                )
        except Refused as refused:
            return ProviderRefund(ref="", status="failed", failure=refused.code)
        return _refund(refund)

    async def dispute(self, ref: str) -> ProviderDispute:
        with _translated():
            return _dispute(await self._stripe.disputes.retrieve_async(ref))

    async def find_refund(
        self, ref: str, *, refund_id: str, key: str
    ) -> ProviderRefund | None:
        with suppress(Refused), _translated():
            page = await self._stripe.refunds.list_async(
                {"payment_intent": ref, "limit": 100}
            )
            async for refund in page.auto_paging_iter():
                metadata = _metadata(refund)
                live = refund.status not in ("failed", "canceled")
                if metadata.get("ledger_id") == key or (
                    live and metadata.get("refund_id") == refund_id
                ):
                    return _refund(refund)
        return None


class _TracedClient(stripe.AIOHTTPClient):
    """Takes a third of the processor time that the SDK's client over httpx takes."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        with calling(method, url) as span:
            try:
                answer = await super().request_async(method, url, headers, post_data)
            except (aiohttp.ClientError, TimeoutError) as error:
                # An answer that breaks off is no error of Stripe's to the SDK.
                raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                    type(error).__name__
                ) from error
            answered(span, answer[1])
            return answer


def _metadata(thing: stripe.PaymentIntent | stripe.Refund) -> dict[str, Any]:
    # Stripe's objects are no dicts, though they look like them.
    return thing.metadata.to_dict() if thing.metadata else {}


def _payment_of(thing: Any) -> str | None:
    """The PaymentIntent that an event's object is, or belongs to."""
    if thing.object == "payment_intent":
        return str(thing.id)
    ref = getattr(thing, "payment_intent", None)
    return None if ref is None else str(ref)


@contextmanager
def _translated() -> Iterator[None]:
    """Raises `Refused`, `MovedOn`, `KeySpent` or `Unavailable`."""
    try:
        yield
    except stripe.StripeError as error:
        # Stripe's own text would reach histories, and may quote a customer.
        raise _meaning(error) from None


def _meaning(error: stripe.StripeError) -> Exception:
    words = f"{type(error).__name__} {error.http_status or ''} {error.code or ''}"
    match judge(error):
        case Verdict.REFUSED:
            return Refused(*_refusal(error))
        case Verdict.MOVED_ON:
            return MovedOn(*_refusal(error))
        case Verdict.SPENT:
            return KeySpent(f"Stripe has stored status {error.http_status}")
        case Verdict.LATER:
            return Unavailable("stripe", words.strip())
        case Verdict.UNKNOWN:
            return Unavailable("stripe", words.strip(), understood=False)


def _refusal(error: stripe.StripeError) -> tuple[str, str]:
    """The refusal, with the payment that was made all the same, if any."""
    body = cast(dict[str, Any], error.json_body or {}).get("error", {})
    code = body.get("decline_code") or error.code or f"status-{error.http_status}"
    return code, (body.get("payment_intent") or {}).get("id", "")


async def _harmless(key: str, ask: Callable[[str], Awaitable[T]]) -> T:
    """Run a request that may be repeated without a look: if a key is spent, the next
    one is used at once. The keys come in the same order each time."""
    for n in range(1, SPENT_KEYS_AT_MOST + 1):
        with suppress(KeySpent), _translated():
            return await ask(key if n == 1 else f"{key}:{n}")
    raise Unavailable("stripe", "key after key is spent")


def _declined(refused: Refused, ref: str = "") -> ProviderPayment:
    """The payment as declined: by the card, or because the request can never succeed
    (the method is gone, the amount is too small for a card). Without a payment if none
    was made."""
    return declined(refused.code, refused.ref or ref)


def _payment(intent: stripe.PaymentIntent) -> ProviderPayment:
    # As plain dicts: Stripe leaves members out, and its objects raise for those.
    seen = intent.to_dict()
    charge = seen.get("latest_charge")
    details = charge.get("payment_method_details") if isinstance(charge, dict) else None
    card = (details or {}).get("card") or {}
    ends = card.get("capture_before")
    action = seen.get("next_action") or {}
    return ProviderPayment(
        ref=intent.id,
        status=STATUS.get(intent.status, "declined"),
        authorized=intent.amount_capturable,
        captured=intent.amount_received,
        currency=intent.currency.upper(),
        capture_before=datetime.fromtimestamp(ends, UTC) if ends else None,
        multicapture=(card.get("multicapture") or {}).get("status") == "available",
        failure=(seen.get("last_payment_error") or {}).get("code"),
        redirect_url=(action.get("redirect_to_url") or {}).get("url"),
        client_secret=seen.get("client_secret") if action else None,
        captured_for=(seen.get("metadata") or {}).get(CAPTURED_FOR),
    )


def _dispute(dispute: stripe.Dispute) -> ProviderDispute:
    due = dispute.evidence_details.due_by
    return ProviderDispute(
        ref=dispute.id,
        payment_ref=str(dispute.payment_intent),
        amount=dispute.amount,
        currency=dispute.currency.upper(),
        status=DisputeStatus(dispute.status),
        reason=dispute.reason,
        due_at=datetime.fromtimestamp(due, UTC) if due else None,
    )


def _refund(refund: stripe.Refund) -> ProviderRefund:
    status: Literal["succeeded", "pending", "failed"]
    match refund.status:
        case "succeeded":
            status = "succeeded"
        case "failed" | "canceled":
            status = "failed"
        case _:
            status = "pending"
    return ProviderRefund(
        refund.id,
        status,
        failure=getattr(refund, "failure_reason", None),
        amount=refund.amount,
        currency=refund.currency.upper(),
    )
