"""What a person reads when a part dies."""

import sys
from pathlib import Path

import pytest
from devstack.display import Display
from devstack.subprocess import Command, Process, State


def a_process(log: Path, state: State) -> Process:
    process = Process(
        Command(name="worker", argv=(sys.executable,), environment={}, log=log)
    )
    process.state, process.exit_code = state, 7
    return process


def test_a_death_is_told_with_its_status_and_the_end_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "worker.log"
    log.write_text("all is well\nno it is not\n")
    Display({}, ["worker"]).changed(a_process(log, State.DIED))
    told = capsys.readouterr().out
    assert "worker died (exit status 7) and is started again" in told
    assert "no it is not" in told


def test_a_state_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display({}, ["worker"])
    process = a_process(tmp_path / "worker.log", State.READY)
    display.changed(process)
    display.changed(process)
    assert capsys.readouterr().out == "worker: ready\n"


def test_programs_have_the_standard_output_to_themselves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    display = Display({}, ["worker"], to_stderr=True)
    display.changed(a_process(tmp_path / "worker.log", State.READY))
    assert capsys.readouterr() == ("", "worker: ready\n")
