"""A client that is generated from the API's description goes the whole way."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.test_newcomer import audit_rows
from tests.e2e.walking import running_system, walk

# It asks the package index for the generator.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_generated_client_passes_the_walk(tmp_path: Path) -> None:
    with running_system(tmp_path / "dev") as at:
        walked = walk("generate-a-client.md", tmp_path, API=at["api"])
        assert asyncio.run(audit_rows(at["database_url"])) == []
    assert "went the whole way" in walked.stdout
