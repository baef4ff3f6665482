"""A page of docs/how-to is walked through on a system as `dev` starts it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
DEV = [sys.executable, "-m", "devstack", "--ports", "auto"]
PATIENCE_SECONDS = 420


@contextmanager
def running_system(
    data: Path, *options: str, said: Path | None = None
) -> Iterator[dict[str, Any]]:
    """What `dev` prints for people goes into the file `said`."""
    with open(said or os.devnull, "w") as told:
        dev = subprocess.Popen(
            [*DEV, "--data", str(data), "--json", *options],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        )
    assert dev.stdout is not None
    try:
        yield json.loads(dev.stdout.readline())
    finally:
        dev.terminate()
        assert dev.wait() == 0
        dev.stdout.close()


def walk(page: str, folder: Path, **variables: str) -> CompletedProcess[str]:
    """All bash blocks of a page as one session, which ends at the first that fails."""
    script = "\n".join(
        re.findall(r"```bash\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    walked = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        env={**os.environ, **variables, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert walked.returncode == 0, walked.stdout[-2000:] + walked.stderr[-4000:]
    return walked
