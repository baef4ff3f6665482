"""A Temporal server whose time passes when a test says so."""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.contracts.search_attributes import SEARCH_ATTRIBUTES
from shared.platform.converter import DATA_CONVERTER
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment


@asynccontextmanager
async def skipping_time() -> AsyncIterator[WorkflowEnvironment]:
    """Real time, until `sleep` skips some. PostgreSQL's clock does not follow."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=DATA_CONVERTER, test_server_existing_path=_binary()
    ) as environment:
        attributes = AddSearchAttributesRequest(namespace="default")
        for key in SEARCH_ATTRIBUTES:
            kind = IndexedValueType.ValueType(key.indexed_value_type)
            attributes.search_attributes[key.name] = kind
        await environment.client.operator_service.add_search_attributes(attributes)
        yield environment


def _binary() -> str:
    # The wheel puts it beside the interpreter, which need not be on the PATH.
    beside = Path(sys.executable).parent
    found = shutil.which("temporal-test-server", path=str(beside))
    if found is None:
        raise FileNotFoundError("temporal-test-server is missing: run uv sync")
    return found
