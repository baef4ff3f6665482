"""Everything that crosses Temporal comes back as it went, and junk is told apart."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared.contracts.base import Payload
from shared.platform.converter import DATA_CONVERTER
from temporalio.api.common.v1 import Payload as Encoded
from temporalio.exceptions import ApplicationError

from tests.architecture.contracts import payload_models
from tests.fuzz.exploring import explored
from tests.support.payloads import payloads


@pytest.mark.parametrize("model", payload_models(), ids=lambda m: m.__name__)
@explored(5)
@given(data=st.data())
async def test_a_payload_comes_back_whole(
    model: type[Payload], data: st.DataObject
) -> None:
    """Through the codec as well, where there is one."""
    sent = data.draw(payloads(model))
    encoded = await DATA_CONVERTER.encode([sent])
    assert await DATA_CONVERTER.decode(encoded, [model]) == [sent]


@pytest.mark.parametrize("model", payload_models(), ids=lambda m: m.__name__)
@explored(5)
@given(junk=st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b"1"]))
async def test_what_is_no_payload_is_refused_without_being_quoted(
    model: type[Payload], junk: bytes
) -> None:
    encoded = Encoded(metadata={"encoding": b"json/plain"}, data=junk)
    with suppress(ApplicationError):
        [read] = await DATA_CONVERTER.decode([encoded], [model])
        assert isinstance(read, model)
