"""`python -m cli`, or `orders`."""

import os
import sys

from cli.app import app
from cli.problems import CliError
from cli.terminal import spell


def main() -> None:
    """Exit status: 0 done, 1 refused or not found in order, 2 not understood."""
    spell()
    try:
        app()
    except CliError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read it has seen enough (`orders list | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
