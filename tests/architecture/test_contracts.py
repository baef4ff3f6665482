"""The contracts and what implements them: the same names, and payloads that survive."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from shared.contracts.base import Payload
from shared.contracts.orders.workflows import Order
from shared.platform.converter import DATA_CONVERTER
from temporalio.client import Client
from temporalio.worker import Worker
from worker.runtime.service import build_worker
from worker.settings import WorkerSettings

from tests.architecture.contracts import (
    defined,
    payload_models,
    promised_activities,
    promised_workflows,
    registered,
)
from tests.support.payloads import payloads, values


@pytest.mark.parametrize("model", payload_models(), ids=lambda m: m.__name__)
@settings(deadline=None, max_examples=20)
@given(data=st.data())
def test_every_payload_survives_the_wire(
    model: type[Payload], data: st.DataObject
) -> None:
    sent = data.draw(payloads(model))
    converter = DATA_CONVERTER.payload_converter
    (received,) = converter.from_payloads(converter.to_payloads([sent]), [model])
    assert received == sent


@pytest.mark.parametrize("kind", [float, bytes, SecretStr, dict[str, str], object])
def test_what_does_not_survive_the_wire_is_no_payload(kind: type) -> None:
    with pytest.raises(TypeError):
        values(kind)


@pytest.mark.parametrize("model", payload_models(), ids=lambda m: m.__name__)
def test_a_payload_of_a_newer_writer_can_be_read(model: type[Payload]) -> None:
    assert model.model_config["extra"] == "ignore"
    assert model.model_config["frozen"]


async def test_every_promised_workflow_is_registered_once(temporal: Client) -> None:
    names = Counter(
        defined(known, "workflow")
        for process in registered(temporal)
        for queue in process.queues
        for known in queue.workflows
    )
    assert names == Counter(promised_workflows().keys())


async def test_every_promised_activity_is_registered(temporal: Client) -> None:
    """Once in a queue; a provider's step also where it is tried first."""
    names = [
        Counter(defined(known, "activity") for known in queue.activities)
        for process in registered(temporal)
        for queue in process.queues
    ]
    assert set().union(*names) == promised_activities()
    assert all(count == 1 for queue in names for count in queue.values())


async def test_messages_are_called_as_the_contract_calls_them(
    temporal: Client,
) -> None:
    promised = promised_workflows()
    for process in registered(temporal):
        for queue in process.queues:
            for known in queue.workflows:
                contract = promised[str(defined(known, "workflow"))]
                assert messages(known) == messages(contract), known


def messages(known: type) -> list[set[str]]:
    """The names of its signals, queries and updates."""
    definition = vars(known)["__temporal_workflow_definition"]
    return [
        {str(name) for name in names}
        for names in (definition.signals, definition.queries, definition.updates)
    ]


def test_a_message_of_another_name_is_another_message() -> None:
    assert messages(Order) == [
        {"nudge"},
        set(),
        {
            *("cancel", "pay", "place_hold", "release_hold"),
            *("pack", "move", "ship", "relabel", "deliver", "cancel_shipment"),
        },
    ]


async def test_every_workflow_loads_in_the_sandbox(temporal: Client) -> None:
    """Building a worker loads its workflows there."""
    settings = WorkerSettings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"),
        stripe_api_key=SecretStr("sk_test_nothing"),
    )
    for process in registered(temporal):
        for queue in process.queues:
            assert isinstance(build_worker(temporal, queue, settings), Worker)
