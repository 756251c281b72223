"""Messages of queues as batches of rows: the columns of their contents, and of what stands on their envelopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from drivetrain.connect.place import Place
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.streams import Messages
from drivetrain.ingest.contents import Contents
from drivetrain.ingest.messages import readable
from drivetrain.ingest.reading import Batch, BrokenRow

Envelope = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message: its number in the portion, its content, and the texts of the metadata columns."""

    number: int
    content: bytes
    envelope: Envelope = ()


class LetterRows:
    """Takes the messages of one source apart."""

    def __init__(self, spec: Messages, place: Place, portion: str, metadata: Mapping[str, ColumnType]) -> None:
        """``metadata`` names the columns of the envelopes. Raises MissingExtra."""
        self._portion, self._metadata = portion, tuple(metadata)
        self._contents = Contents(spec, place, metadata)

    def batch(self, letters: Sequence[Letter], done: int) -> Batch:
        """The messages as one batch. Raises what a schema registry raises."""
        taken = self._contents.take(letters, [letter.content for letter in letters])
        columns = dict(taken.columns)
        for at, name in enumerate(self._metadata):
            columns[name] = pa.array([letter.envelope[at] for letter in taken.kept], pa.string())
        broken = [BrokenRow(letter.number, readable(letter.content), reason) for letter, reason in taken.bad]
        rows, numbers = pa.table(columns), pa.array([letter.number for letter in taken.kept], pa.int64())
        return Batch(
            self._portion, rows, numbers, tuple(sorted(broken, key=lambda row: row.number)),
            self._contents.declared(rows.column_names), optional_fields=True, done=done,
        )  # fmt: skip
