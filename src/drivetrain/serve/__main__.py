"""``python -m drivetrain.serve``: the prediction server as a process. ``drivetrain serve`` becomes this."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import uvloop

from drivetrain.core.errors import DrivetrainError
from drivetrain.serve.loading import load
from drivetrain.serve.process import ServerProcess
from drivetrain.serve.settings import ServeSettings
from drivetrain.store.catalog import Catalog


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; the exit code."""
    settings = read_settings(arguments)
    try:
        with Catalog(settings.home) as catalog:
            release = load(catalog, settings.service)
            uvloop.run(ServerProcess(settings, catalog, release).run())
    except DrivetrainError as error:
        print(f"drivetrain serve: {error}", file=sys.stderr)  # noqa: T201 - this is a door
        return 1
    return 0


def read_settings(arguments: Sequence[str] | None) -> ServeSettings:
    """The settings that a command line gives; ends the process, as argparse does, when it cannot be understood."""
    given = vars(_parser().parse_args(arguments))
    return ServeSettings(**{field.name: given[field.name] for field in fields(ServeSettings) if field.name in given})


def _parser() -> argparse.ArgumentParser:
    defaults = {field.name: field.default for field in fields(ServeSettings)}
    parser = argparse.ArgumentParser("drivetrain.serve", description="Serve the release that is deployed as a service.")
    parser.set_defaults(**{name: value for name, value in defaults.items() if isinstance(value, int | float | str)})
    add = parser.add_argument
    add("--home", type=Path, required=True, help="folder of the project")
    add("--service", required=True, help="name of the service")
    add("--host", help="address to listen on")
    add("--port", type=_between(0, 65535), help="0 picks a free one")
    add("--max-body-bytes", type=_between(1024, 2**40), help="a larger body is refused")
    add("--max-rows", type=_between(1, 2**31), help="rows of one request")
    add("--max-waiting-rows", type=_between(1, 2**31), help="rows of all requests that wait")
    add("--max-explained-rows", type=_between(1, 2**31), help="rows of one request with explain")
    add("--requests-per-second", type=_positive, help="of one API key; no limit when not given")
    add("--fsync", action="store_true", help="an acknowledged prediction survives a power cut, at the disk's speed")
    add("--roll-seconds", type=_positive, help="how often the journal moves into the lake")
    add("--drain-seconds", type=_positive, help="how long accepted requests may take after SIGTERM")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    parse.__name__ = f"integer from {low} to {high}"  # argparse says "invalid <name> value"
    return parse


if __name__ == "__main__":
    sys.exit(main())
