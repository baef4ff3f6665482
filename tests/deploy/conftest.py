"""Each overlay is built once a run, however many processes run the tests."""

import pytest

from tests.deploy import rendering


@pytest.fixture(scope="session", autouse=True)
def _shared_builds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if hasattr(request.config, "workerinput"):
        shared = tmp_path_factory.getbasetemp().parent / "kustomized"
        shared.mkdir(exist_ok=True)
        rendering.shared_builds = shared
