"""The process beside a server that moves its journal into the lake: ``python -m drivetrain.serve.recorder``.

It ends, after a last roll, when its standard input does: when the server closes it, or the server's process is gone.
It is a process of its own so that Arrow, Delta and Parquet neither slow the server's start nor its answers. Killing
it loses nothing: the next roll, by whomever, goes on where the last one stopped.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
from pathlib import Path

from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import LABELS, PREDICTIONS, roll
from drivetrain.store.tables import Table

COMPACT_EVERY = 256
"""Rolls that brought rows between two compactions: each is one small file of the table."""

_NICE = 5


def record(catalog: Catalog, service: str, every: float, ended: int) -> None:
    """Roll at once, then every so many seconds, and once more when the file descriptor ``ended`` reaches its end."""
    rolls = 0
    over = False
    while not over:
        rolls += _roll(catalog, service)
        if rolls >= COMPACT_EVERY:
            rolls = 0
            _compact(catalog, service)
        readable, _, _ = select.select([ended], [], [], every)
        over = bool(readable) and not os.read(ended, 1)
    _roll(catalog, service)


def _roll(catalog: Catalog, service: str) -> bool:
    try:
        return roll(catalog, service) > 0
    except Exception as error:  # noqa: BLE001 - the process boundary: the journal keeps the rows, the next roll tries again
        _complain(error)
        return False


def _compact(catalog: Catalog, service: str) -> None:
    for kind in (PREDICTIONS, LABELS):
        table = Table(catalog.table_path(kind, service))
        try:
            if table.exists():
                table.compact()
        except Exception as error:  # noqa: BLE001 - the process boundary: small files are no reason to stop recording
            _complain(error)


def _complain(error: Exception) -> None:
    print(f"drivetrain recorder: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a process's log is its stderr


def main() -> None:
    """Record until the standard input ends."""
    parser = argparse.ArgumentParser(prog="drivetrain.serve.recorder", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of the project")
    parser.add_argument("--service", required=True)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two rolls")
    given = parser.parse_args()
    os.nice(_NICE)
    with Catalog(given.home) as catalog:
        record(catalog, given.service, given.every, sys.stdin.fileno())


if __name__ == "__main__":
    main()
