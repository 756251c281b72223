"""Outcomes as they are told, whichever worker they are told to: read from the journal, where every worker puts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from drivetrain.store.segments import LabelRecord, read_header, read_labels


class Outcomes:
    """What is told from now on. ``folder`` is the journal of a service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = {path.name: path.stat().st_size for path in self._paths()}

    def fresh(self) -> Iterator[LabelRecord]:
        """What was told since the last time. Raises Tampered."""
        for path in self._paths():
            with suppress(FileNotFoundError):  # in the lake by now; its last second may be missed
                yield from self._more(path)

    def _more(self, path: Path) -> tuple[LabelRecord, ...]:
        start = self._read.get(path.name)
        if start is None:
            header = read_header(path)
            if header is None:
                return ()
            start = header[1]
        labels, size = read_labels(path, start)
        self._read[path.name] = start + size
        return labels

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("labels-*"))
