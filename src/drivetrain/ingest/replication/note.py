"""What this machine remembers of a slot between loads; the truth is the cursor, which stands with the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import digest_of
from drivetrain.core.sources.databases import CdcSource
from drivetrain.ingest.spool import write_durably


@dataclass(frozen=True)
class Memory:
    """``unclaimed`` is a slot that was made, and that no cursor in a table may know.

    After the place ``cursor`` nothing was ours up to ``passed``, so the slot was moved there.
    """

    unclaimed: str = ""
    cursor: int = 0
    passed: int = 0


class Note:
    """The memory of a source, in a file."""

    def __init__(self, spec: CdcSource, place: Place) -> None:
        self._file = place.cache / "cdc" / f"{digest_of(spec.url, spec.table, spec.slot_prefix)[:16]}.json"

    def read(self) -> Memory:
        """What is remembered."""
        return read_json(self._file.read_bytes(), Memory) if self._file.exists() else Memory()

    def unclaimed(self, slot: str) -> None:
        """Remember that this slot is about to be made; none: that it is known, or gone."""
        if self.read().unclaimed != slot:
            self._write(replace(self.read(), unclaimed=slot))

    def passed(self, cursor: int, to: int) -> None:
        """Remember that the slot is about to be moved over nothing."""
        self._write(replace(self.read(), cursor=cursor, passed=to))

    def _write(self, memory: Memory) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._file, msgspec.json.encode(memory))
