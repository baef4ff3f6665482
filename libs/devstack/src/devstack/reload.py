"""`dev --reload`: a part whose code has changed runs it soon after.

It is killed and started, as it may be at any moment; its data lies elsewhere.
"""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from watchfiles import DefaultFilter, awatch

from devstack.stack import Stack
from devstack.subprocess import PartFailed

Say = Callable[[str], None]

_SOURCES = {
    "worker": ("services/worker/src", "libs/shared/src"),
    "api": ("services/api/src", "libs/shared/src"),
    "deliverer": ("services/api/src", "libs/shared/src"),
    "console": ("services/console/src",),
}
"""By part: the folders its code is in."""
_MIGRATIONS = "libs/shared/src/shared/database/migrations/versions"
_SETTLED_MS = 100
"""Changes within this time, as by an editor or a checkout, count as one."""


async def reload(stack: Stack, say: Say) -> None:
    """Reload until cancelled. Code that does not start is reported, and tried again
    with its next change."""
    project = stack.options.project
    parts = [part for part in _SOURCES if part in stack.options.parts]
    folders = {project / folder for part in parts for folder in _SOURCES[part]}
    async for changes in awatch(
        *folders, watch_filter=DefaultFilter(), debounce=_SETTLED_MS, step=50
    ):
        changed = sorted({Path(path).relative_to(project) for _, path in changes})
        touched = [part for part in parts if _is_of(part, changed)]
        say(f"{changed[0]} has changed: {' and '.join(touched)} start again.")
        try:
            if any(path.is_relative_to(_MIGRATIONS) for path in changed):
                await stack["migrations"].run_to_end()
            await asyncio.gather(*(_restart(stack, part) for part in touched))
        except PartFailed as problem:
            say(f"{problem}\nIt is tried again when the code changes.")


def _is_of(part: str, changed: Iterable[Path]) -> bool:
    return any(
        path.is_relative_to(folder) for path in changed for folder in _SOURCES[part]
    )


async def _restart(stack: Stack, part: str) -> None:
    await stack[part].stop(seconds=0)
    await stack[part].start()
