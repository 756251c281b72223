"""What every API key has used: one memory-mapped file that all workers of a project's servers share without a lock.

A worker writes to cells of its own only; what a key has used is the sum over the workers. So no update is ever lost,
and a worker that is killed leaves no half of one: a cell is one aligned word of eight bytes. Between looking at the
sum and adding to its cell another worker may do the same, so that for each other worker at most one request gets
through too many: under a rate the next ones wait that much longer, under a quota it happens once a day. When there are
more workers than ever before, the others look at the new one's cells within a second of its start.

The cells survive the end of every process (they live in the page cache), and a restart goes on from them. After a
power cut they may be as old as the kernel's last write of their page, some seconds. Workers on other machines have
tables of their own: shared memory does not reach over a network.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from drivetrain.access.api_keys import MOST_KEYS, Limits, list_keys
from drivetrain.access.scopes import Scope
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.store.folders import write_file
from drivetrain.store.locks import alone, held

FILE = "usage/table.bin"
"""Where the table of a project is, in its folder ``.drivetrain``."""
DAY_S = 86_400
MOST_WORKERS = 64

# The file is words of eight bytes: a head (format, how many lanes were ever used), then a record for each key. A lane
# is what one worker writes of a record: the seconds of the rate and the rows that it spent, ever. The origins, from
# which they count, are written by all. Numbers are floats: fastest to read, and exact for rows up to 2^53.
_FORMAT = 0x4454_5553_4147_4501
_LANES = 1
_HEAD = 64
_KEY, _RETIRED = 0, 1
SECONDS_ORIGIN, ROWS_ORIGIN, DAY = 2, 3, 4
SECONDS = 5
ROWS = SECONDS + MOST_WORKERS
_RECORD = ROWS + MOST_WORKERS
_RECORDS = 2 * MOST_KEYS  # so that a place rests for long before another key gets it
_BYTES = 8 * (_HEAD + _RECORDS * _RECORD)


class Record(NamedTuple):
    """The record of one key, for one worker.

    ``cells`` are float64: what lane ``n`` spent stands at ``SECONDS + n`` and ``ROWS + n``. ``lane`` is this worker's;
    lanes of others are the rest below ``lanes``.
    """

    cells: memoryview[float]
    lane: int
    lanes: int


class UsageTable:
    """The table, open in one worker; make it in the process that uses it, not before a fork.

    Raises Transient when ``MOST_WORKERS`` processes have it open.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        with alone(self._lock):
            self._lane = self._free_lane()
            self._memory = _mapped(path)
            self._integers = memoryview(self._memory).cast("q")
            self._floats = memoryview(self._memory).cast("d")
            self._lanes = self._integers[_LANES] = max(self._integers[_LANES], self._lane + 1)

    def widen(self) -> bool:
        """Take in workers that came later; True if there are any, and the records given before do not know them."""
        before, self._lanes = self._lanes, self._integers[_LANES]
        return before != self._lanes

    def records(self, keys: Collection[bytes]) -> dict[bytes, Record]:
        """The record of each key, named by its SHA-256; a new key may get the place of one that is not named any more.

        Raises InvalidInput for more than ``MOST_KEYS`` keys.
        """
        if len(keys) > MOST_KEYS:
            raise InvalidInput("api_keys_too_many", f"there are more than {MOST_KEYS} API keys", hint="revoke some")
        with alone(self._lock):
            starts = self._starts({_prefix(key) for key in keys})
        cells = {key: self._floats[starts[_prefix(key)] :][:_RECORD] for key in keys}
        return {key: Record(own, self._lane, self._lanes) for key, own in cells.items()}

    def close(self) -> None:
        """Let another process have this lane; records given before must not be written any more."""
        self._open.close()

    @property
    def _lock(self) -> Path:
        return self._path.with_suffix(".lock")

    def _free_lane(self) -> int:
        """The number of a lane that no running process writes to, and hold it."""
        for lane in range(MOST_WORKERS):
            try:
                self._open.enter_context(held(self._path.with_name(f"lane-{lane}.lock"), "this lane"))
            except Transient:
                continue
            return lane
        raise Transient(
            "usage_lanes_taken",
            f"{MOST_WORKERS} processes count what API keys use already",
            where=str(self._path),
            hint="run fewer workers for one project",
        )

    def _starts(self, wanted: set[int]) -> dict[int, int]:
        """Where the record of each key begins, by prefix. Others retire; new keys get what was retired longest ago."""
        now, words, starts, free = int(time.time()), self._integers, {}, []
        for number, key in enumerate(words[_HEAD + _KEY :: _RECORD].tolist()):
            start = _HEAD + number * _RECORD
            if key in wanted:
                starts[key] = start
                words[start + _RETIRED] = 0
            else:
                if key and not words[start + _RETIRED]:
                    words[start + _RETIRED] = now
                free.append((words[start + _RETIRED], start))
        for key, (_, start) in zip(sorted(wanted - starts.keys()), sorted(free), strict=False):
            self._memory[8 * start : 8 * (start + _RECORD)] = bytes(8 * _RECORD)
            words[start + _KEY] = key
            starts[key] = start
        return starts


@dataclass(frozen=True)
class KeyUse:
    """An API key: whose it is, since when, the limits that hold for it, and the rows it used of them today (UTC).

    ``only`` is what it is good for; None: everything.
    """

    name: str
    made_at: str
    requests_per_second: float | None
    rows_per_day: int | None
    rows_today: int
    only: tuple[Scope, ...] | None


def key_uses(state: Path, service: Limits, now: float | None = None) -> tuple[KeyUse, ...]:
    """What every key uses, oldest first, at ``now`` (seconds since 1970 UTC), read beside the running workers.

    ``service`` are the limits of keys that have none of their own. Raises InvalidInput for keys that cannot be read.
    """
    rows = _rows_used(state / FILE, (time.time() if now is None else now) // DAY_S)
    return tuple(
        KeyUse(key.name, key.made_at, *key.limits(service), rows.get(_prefix(bytes.fromhex(key.sha256)), 0), key.only)
        for key in list_keys(state)
    )


def _rows_used(path: Path, day: float) -> dict[int, int]:
    """Prefix of a key -> the rows of a day."""
    if not _is_table(path):
        return {}
    content = memoryview(path.read_bytes())
    integers, floats = content.cast("q"), content.cast("d")
    return {
        integers[start + _KEY]: int(floats[start + ROWS_ORIGIN] + sum(floats[start + ROWS : start + _RECORD]))
        for start in range(_HEAD, len(floats), _RECORD)
        if floats[start + DAY] == day
    }


def _prefix(key: bytes) -> int:
    """The first eight bytes of a SHA-256 as a word; 0 marks a free record."""
    return int.from_bytes(key[:8], "little", signed=True) or 1


def _mapped(path: Path) -> mmap.mmap:
    """The file in memory, new ones written whole: so a full disk is met here, and not in the middle of a request."""
    if not _is_table(path):
        write_file(path, struct.pack("@q", _FORMAT) + bytes(_BYTES - 8), mode=0o600)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), _BYTES)


def _is_table(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return path.stat().st_size == _BYTES and file.read(8) == struct.pack("@q", _FORMAT)
    except FileNotFoundError:
        return False
