"""What the processes of one server tell each other, through files in the project's state folder.

A worker has a note, rewritten about once a second: what it serves and what it has counted. A dead worker's note stays
until the server is started anew, so that no count ever falls.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec

from drivetrain.serve.counts import Counts

State = Literal["ready", "quarantined"]


@dataclass(frozen=True)
class ServiceNote:
    """One service in one worker: what answers, since which deployment, and what is wrong, if anything.

    ``live`` is what was answered, counted for drift. ``trial_rows`` and ``trial_labels`` were judged so far.
    """

    state: State
    release: str = ""
    deployment: int = 0
    reason: str = ""
    counts: Counts = field(default_factory=Counts)
    live: tuple[tuple[int, ...], ...] = ()
    trial_rows: int = 0
    trial_labels: int = 0


@dataclass(frozen=True)
class Note:
    """What a worker says about itself. ``releases`` are those it scores with, by their number in the pulse.

    ``counts`` are of requests that belong to none of its services.
    """

    pid: int
    serving: bool
    services: dict[str, ServiceNote]
    releases: dict[int, str] = field(default_factory=dict)
    connections: int = 0
    counts: Counts = field(default_factory=Counts)


_NOTES = msgspec.msgpack.Decoder(Note)


class Board:
    """The folder in which the processes of one server leave their notes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._found: dict[Path, Note] = {}

    def clear(self) -> None:
        """Forget what an earlier server left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob("worker-*.note"):
            path.unlink(missing_ok=True)
        self._found.clear()

    def write(self, worker: int, note: Note) -> None:
        """Leave the note of a worker."""
        path = self.folder / f"worker-{worker}-{note.pid}.note"
        new = path.with_suffix(".new")
        new.write_bytes(msgspec.msgpack.encode(note))  # not synced to the disk: it is of no use after a power cut
        new.replace(path)

    def retire(self, worker: int, pid: int) -> None:
        """A worker has ended: what it counted stays, but it serves no more."""
        for note in self.notes():
            if note.pid == pid and note.serving:
                with suppress(OSError):
                    self.write(worker, replace(note, serving=False, connections=0))

    def notes(self) -> list[Note]:
        """The notes of all workers since the server started, those of dead ones too.

        A folder read while a note in it is replaced may not show that note: what was found before stands until then.
        """
        for path in {*self._found, *self.folder.glob("worker-*.note")}:
            with suppress(FileNotFoundError):
                self._found[path] = _NOTES.decode(path.read_bytes())
        return [note for _, note in sorted(self._found.items())]
