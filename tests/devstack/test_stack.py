"""The order of things when the whole is stopped."""

import os
import socket
from pathlib import Path

import pytest
from devstack.lock import only_one
from devstack.ports import HOST, PortTaken, free_ports
from devstack.stack import Options, Stack
from devstack.subprocess import State


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
    for name in ("lock", "payments.sqlite", "mine.txt"):
        (tmp_path / name).touch()
    (tmp_path / "mail").mkdir()
    options = Options(data=tmp_path, ports=free_ports(), parts=(), fresh=True)
    async with Stack(options):
        left = set(os.listdir(tmp_path))
    assert "mine.txt" in left
    assert left.isdisjoint({"payments.sqlite", "mail"})


async def test_a_start_that_is_refused_keeps_the_logs_of_what_ran_before(
    tmp_path: Path,
) -> None:
    options = Options(data=tmp_path, ports=free_ports(), parts=("mail",))
    with only_one(tmp_path):
        (tmp_path / "logs").mkdir()
        (tmp_path / "logs" / "mail.log").write_text("what went wrong")
    with socket.create_server((HOST, options.ports.mail)), pytest.raises(PortTaken):
        await Stack(options).__aenter__()
    assert (tmp_path / "logs" / "mail.log").read_text() == "what went wrong"


async def test_parts_are_started_again_and_stopped_on_a_full_disk(
    tmp_path: Path,
) -> None:
    options = Options(data=tmp_path, ports=free_ports(), parts=("mail",))
    async with Stack(options) as stack:
        # The record of what runs cannot be written any more.
        (tmp_path / "processes.new").mkdir()
        await stack["mail"].kill()
        await stack["mail"].until_ready()
    assert stack["mail"].state is State.STOPPED


async def test_what_a_shell_has_for_other_systems_reaches_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    monkeypatch.setenv("PGSSLMODE", "require")
    parts = ("postgres", "migrations", "mail")
    options = Options(data=tmp_path, ports=free_ports(), parts=parts, durable=False)
    async with Stack(options) as stack:
        assert stack["migrations"].state is State.DONE
        assert stack["mail"].state is State.READY
