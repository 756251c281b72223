"""How a source is read: the Reader protocol, and what passes through it.

A plugin registers its class under the entry-point group ``drivetrain.readers`` by the name of its ``kind`` and proves
itself with ``drivetrain.testing.readers.ReaderContract``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from drivetrain.core import plugins
from drivetrain.core.project import SourceSpec
from drivetrain.store.files.batches import Batch, BrokenRow

__all__ = ["Batch", "BrokenRow", "Portion", "Position", "Reader", "ReaderClass", "open_reader"]


@dataclass(frozen=True)
class Portion:
    """A piece of a source, such as a file: its name and its size in bytes at rest."""

    name: str
    size: int


@dataclass(frozen=True)
class Position:
    """A place in a source where a load may end.

    ``cursor`` (JSON of the reader's own) makes the next ``read`` go on from here. ``content`` is the SHA-256 of what
    was read since the position before.
    """

    cursor: str
    content: str


class Reader(Protocol):
    """One source, opened. Reading changes nothing at the source."""

    def discover(self) -> tuple[Portion, ...]:
        """What there is now. Raises NotFound, or Transient when the source does not answer."""
        ...

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows after ``cursor`` (empty: from the start), and a Position after each complete portion.

        The same cursor and source give the same rows again. Nothing new gives no Position. Raises InvalidInput for
        content that cannot be read and Refused when what was read before is no longer what it was.
        """
        ...

    def commit(self, cursor: str) -> None:
        """Told once the rows up to ``cursor`` stand in the table, perhaps more than once; may forget what is behind."""
        ...


class ReaderClass(Protocol):
    """What an entry point of the group ``drivetrain.readers`` names."""

    def __call__(self, spec: SourceSpec, home: Path, cache: Path) -> Reader:
        """A reader of the source, in the project folder ``home``; ``cache`` keeps what was fetched from afar."""
        ...


def open_reader(spec: SourceSpec, home: Path, cache: Path) -> Reader:
    """The reader registered for the source's kind. Raises NotFound when none is."""
    return cast(ReaderClass, plugins.load("readers", spec.kind))(spec, home, cache)
