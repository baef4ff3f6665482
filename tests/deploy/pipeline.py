"""What the pipeline builds and signs."""

from typing import Any

import yaml

from tests.deploy.rendering import ROOT


def pipeline() -> dict[str, Any]:
    # `!reference` is GitLab's own.
    text = (ROOT / ".gitlab-ci.yml").read_text().replace("!", "")
    jobs: dict[str, Any] = yaml.safe_load(text)
    return jobs


def images() -> list[str]:
    """The names of our images, without their registry."""
    matrix = pipeline()[".images"]["parallel"]["matrix"]
    return [each["IMAGE_NAME"] for each in matrix]
