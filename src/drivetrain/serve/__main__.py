"""``python -m drivetrain.serve SETTINGS``: the prediction server. ``drivetrain serve`` becomes this.

SETTINGS is ``serve.settings.ServerSettings`` as JSON: ``{"services": [{"home": "PROJECT", "name": "SERVICE"}]}``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import msgspec

from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.serve.mishaps import keep_log
from drivetrain.serve.settings import ServerSettings, from_json
from drivetrain.serve.supervisor import serve


def main(arguments: Sequence[str]) -> int:
    """Serve until told to stop; the exit code."""
    try:
        return serve(read_settings(arguments))
    except DrivetrainError as error:
        print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - this is a door
        return 1


def read_settings(arguments: Sequence[str]) -> ServerSettings:
    """The settings in the only argument. Raises InvalidInput."""
    try:
        (text,) = arguments
        return from_json(text, ServerSettings)
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidInput(
            "server_settings_invalid",
            f"these are not the settings of a server: {error}",
            hint="`drivetrain serve` makes them from the project file",
        ) from None


if __name__ == "__main__":
    keep_log()
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # else gRPC logs every handshake that fails, as often as it does
    sys.exit(main(sys.argv[1:]))
