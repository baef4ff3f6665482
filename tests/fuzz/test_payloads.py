"""Everything that crosses Temporal comes back as it went, and junk is told apart."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.base import Payload
from shared.platform.converter import DATA_CONVERTER
from shared.platform.encryption import ENCODING, Unreadable, data_converter
from temporalio.api.common.v1 import Payload as Encoded
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from tests.architecture.contracts import payload_models
from tests.fuzz.exploring import explored
from tests.support.keys import K1, K2, key_ring
from tests.support.payloads import payloads

SEALED = data_converter(key_ring(K1, K2, active="k2"))
BYTES = st.binary(max_size=40)


@pytest.mark.parametrize("converter", [DATA_CONVERTER, SEALED], ids=["plain", "sealed"])
@explored(100)
@given(data=st.data())
async def test_a_payload_comes_back_whole(
    converter: DataConverter, data: st.DataObject
) -> None:
    model: type[Payload] = data.draw(st.sampled_from(payload_models()))
    sent = data.draw(payloads(model))
    encoded = await converter.encode([sent])
    assert await converter.decode(encoded, [model]) == [sent]


@explored(200)
@given(
    model=st.sampled_from(payload_models()),
    junk=BYTES | st.sampled_from([b"{}", b"[]", b"null", b"1"]),
)
async def test_what_is_no_payload_is_refused(model: type[Payload], junk: bytes) -> None:
    encoded = Encoded(metadata={"encoding": b"json/plain"}, data=junk)
    with suppress(ApplicationError):
        [read] = await DATA_CONVERTER.decode([encoded], [model])
        assert isinstance(read, model)


@explored(100)
@given(junk=BYTES, key=BYTES | st.sampled_from([b"k1", b"k2"]))
async def test_what_our_keys_did_not_seal_is_not_opened(
    junk: bytes, key: bytes
) -> None:
    metadata = {"encoding": ENCODING, "encryption-key-id": key}
    with pytest.raises(Unreadable):
        await SEALED.decode([Encoded(metadata=metadata, data=junk)])


@explored(50)
@given(flipped=st.integers(min_value=0), at=st.integers(0, 7))
async def test_a_sealed_payload_that_was_changed_is_not_opened(
    flipped: int, at: int
) -> None:
    [sealed] = await SEALED.encode([{"order_id": "ord_1"}])
    changed = bytearray(sealed.data)
    changed[flipped % len(changed)] ^= 1 << at
    sealed.data = bytes(changed)
    with pytest.raises(Unreadable):
        await SEALED.decode([sealed])
