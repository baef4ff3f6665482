"""`dev --reload`: what is saved is run, and what was kept is there."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from devstack.ports import free_ports
from devstack.reload import reload
from devstack.stack import Options, Stack
from devstack.subprocess import Process, State

from tests.devstack.waiting import eventually

FOLDERS = ("services/worker/src", "services/api/src", "libs/shared/src")


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """The API alone, and a checkout whose files may be changed."""
    project = tmp_path / "project"
    for folder in FOLDERS:
        (project / folder).mkdir(parents=True)
    options = Options(
        data=tmp_path / "dev",
        ports=free_ports(),
        parts=("postgres", "migrations", "api"),
        durable=False,
        project=project,
    )
    async with Stack(options) as stack:
        yield stack


async def started_again(process: Process, pid: int | None) -> None:
    await eventually(lambda: process.pid not in (None, pid))
    await eventually(lambda: process.state is State.READY)


async def test_a_part_whose_code_changes_starts_again_and_no_other(
    stack: Stack,
) -> None:
    said: list[str] = []
    api, postgres = stack["api"], stack["postgres"].pid
    watching = asyncio.create_task(reload(stack, said.append))
    project = stack.options.project
    try:
        pid, folder = api.pid, project / "libs/shared/src"
        # Until the watcher is there nobody hears of a change.
        while api.pid == pid:
            (folder / "changed.py").write_text(f"# {len(said)}")
            (folder / "changed.txt.swp").write_text("an editor's own")
            await asyncio.sleep(0.3)
        await started_again(api, pid)
    finally:
        watching.cancel()
        await asyncio.wait({watching})
    assert "api start again" in said[-1]
    assert stack["postgres"].pid == postgres
    shutil.rmtree(project)
