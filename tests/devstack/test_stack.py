"""The order of things when the whole is stopped."""

import os
from pathlib import Path

from devstack.ports import free_ports
from devstack.process import State
from devstack.stack import Options, Stack


async def test_what_others_need_stops_after_them(tmp_path: Path) -> None:
    seen: list[tuple[str, State]] = []
    options = Options(
        data=tmp_path, ports=free_ports(), parts=("postgres", "mail"), durable=False
    )
    async with Stack(options, lambda p: seen.append((p.name, p.state))):
        pass
    assert seen.index(("mail", State.STOPPED)) < seen.index(
        ("postgres", State.STOPPING)
    )


async def test_a_fresh_start_forgets_what_it_kept_and_only_that(tmp_path: Path) -> None:
    for name in ("payments.sqlite", "mine.txt"):
        (tmp_path / name).touch()
    (tmp_path / "mail").mkdir()
    options = Options(data=tmp_path, ports=free_ports(), parts=(), fresh=True)
    async with Stack(options):
        left = set(os.listdir(tmp_path))
    assert "mine.txt" in left
    assert left.isdisjoint({"payments.sqlite", "mail"})
