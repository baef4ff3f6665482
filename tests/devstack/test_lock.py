"""One system per data directory."""

from pathlib import Path

import pytest
from devstack.lock import AlreadyRunning, SomebodyElses, only_one


def test_a_second_owner_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    with only_one(tmp_path):
        pid = (tmp_path / "lock").read_text()
        with pytest.raises(AlreadyRunning, match=rf"pid {pid}.*--data"):
            only_one(tmp_path).__enter__()


def test_a_lock_file_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("12345")
    with only_one(tmp_path):
        assert (tmp_path / "lock").read_text() != "12345"


def test_the_directory_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with only_one(tmp_path):
            pass


def test_a_directory_that_others_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    with pytest.raises(SomebodyElses, match="--data"):
        only_one(tmp_path).__enter__()
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
