"""Which release and commit this process runs."""

import os
from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """`1.4.0+3f9c2ab`; the image carries the commit in `GIT_COMMIT`."""
    release = metadata.version("shared")
    commit = os.environ.get("GIT_COMMIT", "")[:7]
    return f"{release}+{commit}" if commit else release
