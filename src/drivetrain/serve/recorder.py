"""The process beside a server that moves its journals into the lake: ``python -m drivetrain.serve.recorder``.

It ends, after a last roll, when its standard input does: when the server closes it, or the server's process is gone.
It is a process of its own so that Arrow, Delta and Parquet neither slow the server's start nor its answers. Killing
it loses nothing: the next roll, by whomever, goes on where the last one stopped. So after each compaction, which runs
beside it, it starts itself anew: what Arrow and Delta hold on to with every commit is given back, and its memory stays
flat for years.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import drivetrain.store.arrow_alone  # noqa: F401 - before all that makes arrays
from drivetrain.serve.mishaps import keep_log
from drivetrain.serve.settings import ServiceSettings, from_json
from drivetrain.store.catalog import Catalog
from drivetrain.store.compaction import Compaction
from drivetrain.store.journal import Roller

COMPACT_EVERY = 64
"""Rolls that brought rows between two compactions: each is one small file, and takes memory as long as it is there."""

_NICE = 5


class Recording:
    """One service, how often it was rolled since its tables were compacted, and the compaction that runs."""

    def __init__(self, settings: ServiceSettings, catalog: Catalog) -> None:
        self._roller = Roller(catalog, settings.name)
        self._rolls = 0
        self._compaction: Compaction | None = None

    @property
    def is_compacting(self) -> bool:
        """Whether small files are being merged."""
        return self._compaction is not None

    def step(self) -> bool:
        """Roll, and compact now and then; what goes wrong is told, and tried again the next time.

        Gives whether a compaction has ended.
        """
        try:
            self._rolls += self._roller.roll() > 0
            return self._compacted()
        except Exception as error:  # noqa: BLE001 - the process boundary: the journal keeps the rows
            print(f"drivetrain recorder: {error}", file=sys.stderr, flush=True)  # noqa: T201 - a process's log is its stderr
        return False

    def end(self) -> None:
        """Roll for the last time; a compaction that runs is left to the next recorder."""
        self.step()
        if self._compaction is not None:
            self._compaction.end()

    def _compacted(self) -> bool:
        running, self._compaction = self._compaction, None
        if running is not None:
            if running.is_over():
                return True
            self._compaction = running
        elif self._rolls >= COMPACT_EVERY:
            self._rolls, self._compaction = 0, Compaction(list(self._roller.tables.values()))
        return False


def record(recordings: Sequence[Recording], every: float, ended: int, renew: Callable[[], None]) -> None:
    """Roll at once, then every so many seconds, and once more when the file descriptor ``ended`` reaches its end.

    When compactions have ended and none runs, ``renew`` is called, which need not come back.
    """
    over, compacted = False, False
    while not over:
        for recording in recordings:
            compacted |= recording.step()
        if compacted and not any(recording.is_compacting for recording in recordings):
            compacted = False
            renew()
        readable, _, _ = select.select([ended], [], [], every)
        over = bool(readable) and not os.read(ended, 1)
    for recording in recordings:
        recording.end()


def main() -> None:
    """Record until the standard input ends; the services are the only argument, as JSON."""
    keep_log()
    services = from_json(sys.argv[1], tuple[ServiceSettings, ...])
    os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with ExitStack() as opened:
        catalogs = {home: opened.enter_context(Catalog(home)) for home in {service.home for service in services}}
        recordings = [Recording(service, catalogs[service.home]) for service in services]
        record(recordings, min(service.roll_seconds for service in services), sys.stdin.fileno(), renewed)


def renewed() -> None:
    """Become a new recorder with the same number, input, output and arguments."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


if __name__ == "__main__":
    main()
