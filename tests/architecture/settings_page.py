"""The page that lists every setting: `python -m tests.architecture.settings_page`."""

from pathlib import Path

from api.settings import ApiSettings, CodecSettings, DelivererSettings
from console.settings import ConsoleSettings
from shared.platform.settings import Settings
from shared.platform.settings_help import variables
from worker.settings import WorkerSettings

PAGE = Path(__file__).parents[2] / "docs/how-to/settings.md"
INTRODUCTION = """\
# Configure a service

All services read their settings from the environment, check all of them first,
and name every mistake in one message. `uv run worker --help`, `uv run api --help` and
`uv run console --help` show the same as this page. Durations are in seconds (`2.5`)
or ISO 8601 (`PT2.5S`).

This page is written by `uv run python -m tests.architecture.settings_page`.
"""


def page() -> str:
    return (
        INTRODUCTION
        + _table("The worker: `python -m worker`", WorkerSettings)
        + _table("The API: `python -m api`", ApiSettings)
        + _table("The console: `python -m console`", ConsoleSettings)
        + _table("The deliverer: `python -m api deliver`", DelivererSettings)
        + _table("The codec server: `python -m api codec`", CodecSettings)
    )


def _table(title: str, settings: type[Settings]) -> str:
    rows = [
        f"| `{v.name}` | {v.default} | {v.meaning.replace('|', chr(92) + '|')} |"
        for v in sorted(variables(settings), key=lambda v: v.name)
    ]
    head = ["", f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
