"""`pg_dump` and `pg_restore`, as in docs/how-to/backup-and-restore.md."""

import asyncio
from pathlib import Path

from devstack.postgres import embedded


async def dump(database: str, into: Path) -> None:
    await _run("pg_dump", "--format=custom", f"--file={into}", f"--dbname={database}")


async def restore(database: str, dumped: Path) -> None:
    """Into the database itself, with nothing of what is in it now."""
    await _run(
        *("pg_restore", "--clean", "--if-exists", "--single-transaction"),
        *(f"--dbname={database}", str(dumped)),
    )


async def _run(program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(str(embedded() / program), *arguments),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
