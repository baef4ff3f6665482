"""One cluster for each environment; its tests run in the order of their files."""

import shutil
from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import PROGRAMS
from tests.cluster.stage import Stage, stage
from tests.deploy.rendering import ENVIRONMENTS


@pytest.fixture(scope="package", params=ENVIRONMENTS)
def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"not installed: {', '.join(missing)} (docs/how-to/try-a-cluster.md)"
        )
    folder = tmp_path_factory.mktemp(request.param)
    with stage(request.param, folder) as made:
        yield made
