"""A part that dies comes back, and one that is stopped leaves nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from devstack.subprocess import (
    Command,
    PartFailed,
    Process,
    State,
    back_off_seconds,
    tail,
)

from tests.devstack.waiting import eventually, is_running

CHILD = Path(__file__).with_name("child.py")


def a_command(
    directory: Path,
    *options: str,
    stop_seconds: float = 10,
    start_seconds: float = 20,
    one_shot: bool = False,
) -> Command:
    ready = directory / "ready"

    async def forget_readiness() -> None:
        ready.unlink(missing_ok=True)

    async def is_ready() -> bool:
        return ready.exists()

    return Command(
        name="child",
        argv=(sys.executable, "-I", "-S", str(CHILD), *options),
        environment={},
        log=directory / "child.log",
        ready=None if one_shot else is_ready,
        prepare=forget_readiness,
        stop_seconds=stop_seconds,
        start_seconds=start_seconds,
    )


@asynccontextmanager
async def running(
    command: Command, changed: Callable[[Process], None] = lambda _: None
) -> AsyncIterator[Process]:
    process = Process(command, changed)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


def pid_of(process: Process) -> int:
    assert process.pid is not None
    return process.pid


async def test_a_part_is_ready_once_its_check_says_so(tmp_path: Path) -> None:
    seen: list[State] = []
    command = a_command(tmp_path, f"ready={tmp_path / 'ready'}")
    async with running(command, lambda p: seen.append(p.state)) as process:
        assert process.state is State.READY
    assert seen[-3:] == [State.READY, State.STOPPING, State.STOPPED]


async def test_a_part_that_was_stopped_had_time_to_finish(tmp_path: Path) -> None:
    async with running(a_command(tmp_path, f"ready={tmp_path / 'ready'}")):
        pass
    assert tail(tmp_path / "child.log", 1) == ["bye"]


async def test_a_killed_part_is_started_again(tmp_path: Path) -> None:
    seen: list[State] = []
    command = a_command(tmp_path, f"ready={tmp_path / 'ready'}")
    async with running(command, lambda p: seen.append(p.state)) as process:
        before = pid_of(process)
        await process.kill()
        await process.until_ready()
        assert pid_of(process) != before
    assert State.DIED in seen


async def test_a_part_killed_for_good_stays_down_until_it_is_started(
    tmp_path: Path,
) -> None:
    async with running(a_command(tmp_path, f"ready={tmp_path / 'ready'}")) as process:
        await process.kill(restart=False)
        assert (process.state, process.pid) == (State.STOPPED, None)
        await process.start()
        assert process.state is State.READY


async def test_a_part_that_keeps_dying_fails_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.subprocess._FIRST_BACK_OFF_SECONDS", 0.01)
    process = Process(a_command(tmp_path, "exit=3"))
    with pytest.raises(PartFailed, match=r"(?s)exit status 3.*cannot go on"):
        await process.start()
    await process.stop()


async def test_a_part_that_is_never_ready_fails_in_time(tmp_path: Path) -> None:
    process = Process(a_command(tmp_path, start_seconds=0.3))
    with pytest.raises(PartFailed, match=r"was not ready after 0\.3 s"):
        await process.start()
    await process.stop()
    assert process.pid is None


async def test_a_part_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    command = a_command(
        tmp_path, f"ready={tmp_path / 'ready'}", "stubborn", stop_seconds=0.1
    )
    async with running(command) as process:
        pid = pid_of(process)
    assert not is_running(pid)


async def test_a_paused_part_can_be_stopped(tmp_path: Path) -> None:
    async with running(a_command(tmp_path, f"ready={tmp_path / 'ready'}")) as process:
        process.pause()
    assert tail(tmp_path / "child.log", 1) == ["bye"]


async def test_a_part_whose_program_is_just_being_replaced_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devstack.subprocess._FIRST_BACK_OFF_SECONDS", 0.01)
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    command = a_command(tmp_path, f"ready={tmp_path / 'ready'}")
    command = replace(command, argv=(str(program), *command.argv[1:]))
    async with running(command) as process:
        program.unlink()
        await process.kill()
        await eventually(lambda: "No such file" in process.end)
        program.symlink_to(sys.executable)
        await process.until_ready()
        assert process.state is State.READY


async def test_what_a_part_has_started_goes_with_it(tmp_path: Path) -> None:
    command = a_command(tmp_path, "family", f"ready={tmp_path / 'ready'}")
    async with running(command):
        grandchild = int(tail(command.log, 1)[0].split()[1])
        assert is_running(grandchild)
    await eventually(lambda: not is_running(grandchild))


async def test_stopping_a_part_that_is_about_to_be_restarted_ends_it(
    tmp_path: Path,
) -> None:
    process = Process(a_command(tmp_path, "exit=1"))
    starting = asyncio.create_task(process.start())
    await eventually(lambda: process.state is State.DIED)
    starting.cancel()
    await process.stop()
    assert (process.state, process.pid) == (State.STOPPED, None)


async def test_an_errand_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"(?s)exited with status 2.*cannot go on"):
        await Process(a_command(tmp_path, "exit=2", one_shot=True)).run_to_end()


async def test_an_errand_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    process = Process(a_command(tmp_path, one_shot=True))
    errand = asyncio.create_task(process.run_to_end())
    await eventually(lambda: process.pid is not None)
    pid = pid_of(process)
    errand.cancel()
    await asyncio.wait({errand})
    assert not is_running(pid)


def test_the_pauses_between_restarts_double_up_to_half_a_minute() -> None:
    assert [back_off_seconds(n) for n in (1, 2, 3, 7, 5000)] == [0.5, 1, 2, 30, 30]


def test_the_end_of_a_long_log_is_read_without_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {n}\n" for n in range(10_000)))
    assert tail(log, 2) == ["line 9998", "line 9999"]
    assert tail(tmp_path / "none", 2) == []
