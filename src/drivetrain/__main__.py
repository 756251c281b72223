"""``drivetrain`` and ``python -m drivetrain``."""

from __future__ import annotations

import sys

from drivetrain.cli.main import cli


def main() -> None:
    """Run the command line; errors are told in one place, with their exit codes."""
    sys.exit(cli.main(prog_name="drivetrain", standalone_mode=True))


if __name__ == "__main__":
    main()
