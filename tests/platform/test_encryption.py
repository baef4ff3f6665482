"""Payloads under lock and key: what is written, who reads it, and how keys change."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from shared.platform.converter import DATA_CONVERTER
from shared.platform.encryption import (
    ENCODING,
    PLACE,
    Encryption,
    Unreadable,
    data_converter,
)
from shared.platform.settings import PayloadSettings
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter, WorkflowSerializationContext
from temporalio.exceptions import ApplicationError

from tests.support.keys import K1, K2, key_ring

VALUE = {"order_id": "ord_1"}


def converter(*keys: str, active: str | None = None) -> DataConverter:
    return data_converter(key_ring(*keys, active=active))


async def test_without_keys_nothing_is_different() -> None:
    assert data_converter(PayloadSettings()) is DATA_CONVERTER


async def test_what_is_written_can_be_read_and_not_seen() -> None:
    ours = converter(K1, active="k1")
    (sealed,) = await ours.encode([VALUE])
    assert sealed.metadata["encoding"] == ENCODING
    assert sealed.metadata["encryption-key-id"] == b"k1"
    assert b"ord_1" not in sealed.SerializeToString()
    assert await ours.decode([sealed]) == [VALUE]


def of(workflow_id: str, ours: DataConverter) -> DataConverter:
    return ours.with_context(WorkflowSerializationContext("orders", workflow_id))


async def test_what_was_written_for_one_workflow_is_not_read_in_another() -> None:
    ours = converter(K1, active="k1")
    one, other = of("order-1", ours), of("order-2", ours)
    (sealed,) = await one.encode([VALUE])
    assert await one.decode([sealed]) == [VALUE]
    # The codec server knows no workflow.
    assert await ours.decode([sealed]) == [VALUE]
    with pytest.raises(Unreadable, match="another workflow"):
        await other.decode([sealed])
    sealed.metadata["encryption-workflow-id"] = b"order-2"
    with pytest.raises(Unreadable, match="not written with its key"):
        await other.decode([sealed])
    del sealed.metadata["encryption-workflow-id"]
    with pytest.raises(Unreadable, match="not written with its key"):
        await other.decode([sealed])


async def test_what_was_written_in_one_namespace_is_not_read_in_another() -> None:
    ours = converter(K1, active="k1")
    here = of("order-1", ours)
    there = ours.with_context(WorkflowSerializationContext("staging", "order-1"))
    (sealed,) = await here.encode([VALUE])
    with pytest.raises(Unreadable, match="another namespace"):
        await there.decode([sealed])
    encryption = ours.payload_codec
    assert isinstance(encryption, Encryption)
    assert await encryption.in_namespace("orders").decode([sealed])
    with pytest.raises(Unreadable, match="another namespace"):
        await encryption.in_namespace("staging").decode([sealed])
    sealed.metadata["encryption-namespace"] = b"staging"
    with pytest.raises(Unreadable, match="not written with its key"):
        await there.decode([sealed])


async def test_what_was_bound_to_a_workflow_alone_is_read() -> None:
    """As the build before this one wrote it."""
    ours = converter(K1, active="k1")
    before = ours.with_context(WorkflowSerializationContext("", "order-1"))
    (sealed,) = await before.encode([VALUE])
    assert set(sealed.metadata) & set(PLACE) == {"encryption-workflow-id"}
    assert await of("order-1", ours).decode([sealed]) == [VALUE]
    with pytest.raises(Unreadable, match="another workflow"):
        await of("order-2", ours).decode([sealed])


async def test_payloads_from_before_they_were_bound_are_read() -> None:
    ours = converter(K1, active="k1")
    assert await of("order-1", ours).decode(await ours.encode([VALUE])) == [VALUE]


async def test_a_strict_reader_believes_what_is_encrypted_for_it_alone() -> None:
    keys = key_ring(K1, active="k1").model_copy(
        update={"temporal_payload_strict": True}
    )
    strict = of("order-1", data_converter(keys))
    assert await strict.decode(await strict.encode([VALUE])) == [VALUE]
    unbound = await converter(K1, active="k1").encode([VALUE])
    for payloads in (await DATA_CONVERTER.encode([VALUE]), unbound):
        with pytest.raises(Unreadable):
            await strict.decode(payloads)


async def test_the_same_twice_looks_different() -> None:
    first, second = await converter(K1, active="k1").encode([VALUE, VALUE])
    assert first.data != second.data


async def test_a_new_key_writes_and_the_old_one_still_reads() -> None:
    old, new = converter(K1, active="k1"), converter(K1, K2, active="k2")
    (before,), (after,) = await old.encode([VALUE]), await new.encode([VALUE])
    assert after.metadata["encryption-key-id"] == b"k2"
    assert await new.decode([before, after]) == [VALUE, VALUE]
    with pytest.raises(Unreadable, match="no payload key 'k2'"):
        await old.decode([after])


async def test_a_key_that_is_not_active_only_reads() -> None:
    (sealed,) = await converter(K1, active="k1").encode([VALUE])
    reader = converter(K1)
    assert await reader.decode([sealed]) == [VALUE]
    assert await reader.encode([VALUE]) == await DATA_CONVERTER.encode([VALUE])


async def test_what_was_written_before_it_was_switched_on_is_read() -> None:
    plain = await DATA_CONVERTER.encode([VALUE])
    assert await converter(K1, active="k1").decode(plain) == [VALUE]


@pytest.mark.parametrize("part", ["data", "key"])
async def test_what_was_changed_on_the_way_is_not_read(part: str) -> None:
    ours = converter(K1, K2, active="k1")
    (sealed,) = await ours.encode([VALUE])
    forged = Payload.FromString(sealed.SerializeToString())
    if part == "data":
        forged.data = sealed.data[:-1] + bytes([sealed.data[-1] ^ 1])
    else:
        forged.metadata["encryption-key-id"] = b"k2"
    with pytest.raises(Unreadable):
        await ours.decode([forged])
    forged.data = b"short"
    with pytest.raises(Unreadable):
        await ours.decode([forged])


async def test_a_failure_hides_what_it_says() -> None:
    ours, failure = converter(K1, active="k1"), Failure()
    told = ApplicationError("no more of ord_1", "ord_1", type="out-of-stock")
    await ours.encode_failure(told, failure)
    assert b"ord_1" not in failure.SerializeToString()
    # What the API decides on is there.
    assert failure.application_failure_info.type == "out-of-stock"
    read = await ours.decode_failure(failure)
    assert isinstance(read, ApplicationError)
    assert (read.message, read.details) == ("no more of ord_1", ("ord_1",))


async def test_a_key_that_is_added_to_the_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{K1}\n")
    reader = data_converter(PayloadSettings(temporal_payload_keys_file=file))
    sealed = await converter(K2, active="k2").encode([VALUE])
    with pytest.raises(Unreadable):
        await reader.decode(sealed)
    file.write_text(f"{K1}\n{K2}\n")
    assert await reader.decode(sealed) == [VALUE]


@pytest.mark.parametrize("exchanged", [K2, "", "half a k"])
async def test_a_file_that_is_exchanged_takes_no_key_away(
    tmp_path: Path, exchanged: str
) -> None:
    file = tmp_path / "keys"
    file.write_text(K1)
    ours = data_converter(
        PayloadSettings(
            temporal_payload_keys_file=file, temporal_payload_active_key="k1"
        )
    )
    before = await ours.encode([VALUE])
    file.write_text(exchanged)
    unknown = await converter("k3:" + K1.removeprefix("k1:"), active="k3").encode([1])
    with pytest.raises(Unreadable):
        await ours.decode(unknown)
    assert await ours.decode([*before, *await ours.encode([VALUE])]) == [VALUE, VALUE]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"temporal_payload_keys": SecretStr("k1:c2hvcnQ=")}, "32 bytes in base64"),
        ({"temporal_payload_keys": SecretStr("no key")}, "32 bytes in base64"),
        ({"temporal_payload_active_key": "k2"}, "none of the payload keys"),
        ({"temporal_payload_keys_file": Path("/nowhere")}, "No such file"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_at_the_start(
    changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint) as refusal:
        PayloadSettings(**({"temporal_payload_keys": SecretStr(K1)} | changed))
    told = str(refusal.value.errors(include_input=False))
    assert "c2hvcnQ=" not in told
