"""Webhooks of any form, signed and not: refused or stored, and never more than ids."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from api.http.problems import Problem
from api.orders.webhook.signatures import Verify, carrier, easypost, stripe
from hypothesis import given
from hypothesis import strategies as st
from shared.database.engine import Engine

from tests.api.conftest import app, client, make_settings
from tests.api.shop import Json
from tests.api.test_webhooks import INTENT, SCAN, TRACKER, inbox, signed
from tests.conftest import CARRIER_SECRET, EASYPOST_SECRET, STRIPE_SECRET
from tests.fuzz.exploring import explored

__all__ = ["app", "client", "make_settings"]

SOURCES: Mapping[str, tuple[Verify, str, Json]] = {
    "stripe": (stripe, STRIPE_SECRET, INTENT),
    "carrier": (carrier, CARRIER_SECRET, SCAN),
    "easypost": (easypost, EASYPOST_SECRET, TRACKER),
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\0", "\ud800", "x" * 300, "2026-01-01", "tracker.updated"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("stripe-signature", "webhook-id", "webhook-timestamp"),
            *("webhook-signature", "x-hmac-signature"),
        ]
    ),
    st.text(st.characters(max_codepoint=255))
    | st.from_regex(r"t=[0-9]{1,14},v1=[0-9a-f]{0,64}", fullmatch=True)
    | st.from_regex(r"(v1,[A-Za-z0-9+/=]{0,44} ?){1,3}", fullmatch=True)
    | st.from_regex(r"hmac-sha256-hex=[0-9a-f]{64}", fullmatch=True)
    | st.integers().map(str),
)


@st.composite
def twisted(draw: st.DrawFn, event: Json) -> Any:
    """An event with something else in one place of it, or something else at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JUNK)
    copy = json.loads(json.dumps(event))
    place = copy
    while True:
        name = draw(st.sampled_from(sorted(place)))
        if not isinstance(place[name], dict) or draw(st.booleans()):
            break
        place = place[name]
    place[name] = draw(JUNK)
    return copy


@pytest.mark.parametrize("source", SOURCES)
@explored(100)
@given(headers=HEADERS, body=st.binary(max_size=50) | st.just(b"{}"))
def test_what_is_not_signed_is_refused(
    source: str, headers: dict[str, str], body: bytes
) -> None:
    verify, secret, _ = SOURCES[source]
    with pytest.raises(Problem) as refused:
        verify(secret, headers, body)
    assert refused.value.code == "invalid-signature"


@pytest.mark.parametrize("source", SOURCES)
@explored(50)
@given(flipped=st.integers(min_value=0), at=st.integers(0, 7))
def test_a_bit_that_was_flipped_is_found(source: str, flipped: int, at: int) -> None:
    verify, secret, event = SOURCES[source]
    body = bytearray(json.dumps(event).encode())
    headers = {n.lower(): v for n, v in signed(source, event).items()}
    assert verify(secret, headers, bytes(body)) is not None
    body[flipped % len(body)] ^= 1 << at
    with pytest.raises(Problem) as refused:
        verify(secret, headers, bytes(body))
    assert refused.value.code == "invalid-signature"


@pytest.mark.parametrize("source", SOURCES)
@explored(60)
@given(data=st.data())
def test_of_what_is_signed_only_short_texts_are_kept(
    source: str, data: st.DataObject
) -> None:
    verify, secret, event = SOURCES[source]
    sent = data.draw(twisted(event))
    headers = {n.lower(): v for n, v in signed(source, sent).items()}
    with suppress(Problem):
        received = verify(secret, headers, json.dumps(sent).encode())
        for value in received.payload.values() if received else ():
            assert value is None or (isinstance(value, str) and len(value) <= 200)


@pytest.mark.parametrize("source", SOURCES)
@explored(15)
@given(data=st.data())
async def test_whatever_is_signed_is_stored_or_refused(
    client: httpx2.AsyncClient, engine: Engine, source: str, data: st.DataObject
) -> None:
    sent = data.draw(twisted(SOURCES[source][2]))
    before = len(await inbox(engine))
    answer = await client.post(
        f"/v1/webhooks/{source}",
        content=json.dumps(sent).encode(),
        headers={"Content-Type": "application/json"} | signed(source, sent),
    )
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert len(await inbox(engine)) == before
