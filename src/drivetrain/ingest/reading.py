"""How a source is read: the Reader protocol, and what passes through it.

A plugin registers its class under the entry-point group ``drivetrain.readers`` by the name of its ``kind`` and proves
itself with ``drivetrain.testing.readers.ReaderContract``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

from drivetrain.connect.place import Place
from drivetrain.core import plugins
from drivetrain.core.sources import SourceSpec
from drivetrain.store.files.batches import Batch, BrokenRow

__all__ = ["Batch", "BrokenRow", "Portion", "Position", "Reader", "ReaderClass", "Waiter", "open_reader", "opened"]


@dataclass(frozen=True)
class Portion:
    """A piece of a source, such as a file, table or topic: its name, and its size at rest (0: nobody knows).

    Sizes are bytes or rows, whatever the source can tell without reading; ``Batch.done`` counts the same. ``note`` is
    what one should know before reading, such as the cost.
    """

    name: str
    size: int
    note: str = ""


@dataclass(frozen=True)
class Position:
    """A place in a source where a load may end.

    ``cursor`` (JSON of the reader's own) makes the next ``read`` go on from here. ``content`` is the SHA-256 of what
    was read since the position before.
    """

    cursor: str
    content: str


class Reader(Protocol):
    """One source, opened. Reading changes nothing at the source.

    What the source holds for a moment only (a queue) is given up in ``commit``, not before. What may pass (no
    connection, a time-out) is tried again with ``retrying`` until its deadline, and raises Transient then.
    """

    def discover(self) -> tuple[Portion, ...]:
        """What there is now. Raises NotFound, or Transient when the source does not answer."""
        ...

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows after ``cursor`` (empty: from the start), and a Position after each complete portion.

        It ends when everything that was there at its beginning is read. The same cursor and source give the same rows
        again. Nothing new gives no Position. Raises InvalidInput for content that cannot be read and Refused when what
        was read before is no longer what it was.
        """
        ...

    def commit(self, cursor: str) -> None:
        """Told once the rows up to ``cursor`` stand in the table, perhaps more than once; may forget what is behind."""
        ...


@runtime_checkable
class Waiter(Protocol):
    """A Reader of a source that can tell when there is more: it stays open while a service follows it."""

    def wait(self, seconds: float) -> bool:
        """Whether something new is there, as soon as it is; False after so many seconds. Raises Transient."""
        ...

    def lag(self) -> int:
        """How many rows wait at the source after what was read last. Raises Transient."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@runtime_checkable
class Tried(Protocol):
    """A Reader whose ``discover`` asks the source nothing, as every load begins with it: this is for who looks."""

    def try_out(self) -> None:
        """Ask once, as a first load would. Raises what reading raises."""
        ...


class ReaderClass(Protocol):
    """What an entry point of the group ``drivetrain.readers`` names."""

    def __call__(self, spec: SourceSpec, place: Place) -> Reader:
        """A reader of the source. Connects to nothing before it is asked."""
        ...


@contextmanager
def opened(spec: SourceSpec, place: Place) -> Iterator[Reader]:
    """The reader registered for the source's kind, for one use. Raises NotFound when none is."""
    reader = open_reader(spec, place)
    try:
        yield reader
    finally:
        if isinstance(reader, Waiter):
            reader.close()


def open_reader(spec: SourceSpec, place: Place) -> Reader:
    """The reader registered for the source's kind. Raises NotFound when none is."""
    return cast(ReaderClass, plugins.load("readers", spec.kind))(spec, place)
