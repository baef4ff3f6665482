"""`python -m shared.database.migrations`: bring the database up to this code's schema.

Safe to repeat and safe to run twice at once: an advisory lock lets one go first.
"""

import argparse

from shared.database.migrations.upgrade import upgrade
from shared.platform.main import run_main
from shared.platform.settings import DatabaseSettings, load_settings


async def migrate() -> int:
    settings = load_settings(DatabaseSettings)
    await upgrade(settings)
    return 0


def main() -> None:
    argparse.ArgumentParser(prog="migrations", description=__doc__).parse_args()
    run_main(migrate())


if __name__ == "__main__":
    main()
