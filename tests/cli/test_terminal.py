"""The command line on terminals that are older than Unicode."""

import json
import os
import subprocess
import sys

import pytest


def said(encoding: str, code: str) -> str:
    """What a process of its own writes on such a terminal."""
    done = subprocess.run(
        [sys.executable, "-c", f"from cli.terminal import spell; spell(); {code}"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=True,
    )
    return done.stdout.decode(encoding).rstrip()


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "2 x Tuete -> 5 EUR ..."),
        ("cp1252", "2 × Tüte -> 5 € …"),
        ("utf-8", "2 × Tüte → 5 € …"),
    ],
)
def test_what_a_terminal_cannot_write_is_spelled(encoding: str, shown: str) -> None:
    assert said(encoding, "print('2 × Tüte → 5 € …')") == shown


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_json_keeps_every_character(encoding: str) -> None:
    shown = said(encoding, "from cli.display import _print_json as p; p({'a': '茶→ü'})")
    assert json.loads(shown) == {"a": "茶→ü"}
