"""Rows of text, collected into batches, for the formats that give one row after another."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from drivetrain.core.schema import Schema
from drivetrain.store.files.batches import Batch, BrokenRow
from drivetrain.store.files.content import Content
from drivetrain.store.files.delimited import check_names

_ROWS, _SIZE = 10_000, 16 * 1024 * 1024  # letters

Row = Mapping[str, str | None]


class TextRows:
    """Rows that wait to be a batch. Each row of the file is added, broken or skipped, in order: that numbers them."""

    def __init__(
        self, content: Content, first: int, *, names: tuple[str, ...] = (), declared: Schema | None = None
    ) -> None:
        self._content, self._names, self._declared = content, names, declared
        self._next = first
        self._rows: list[Row] = []
        self._numbers: list[int] = []
        self._broken: list[BrokenRow] = []
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to take the batch."""
        return len(self._rows) + len(self._broken) >= _ROWS or self._size >= _SIZE

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._rows and not self._broken

    def add(self, row: Row) -> None:
        """A row, column by column; without fixed names a column that it lacks is missing."""
        self._rows.append(row)
        self._numbers.append(self._next)
        self._size += sum(len(value) for value in row.values() if value)
        self._next += 1

    def broken(self, text: str, reason: str) -> None:
        """A row that could not be taken apart."""
        self._broken.append(BrokenRow(self._next, text, reason))
        self._size += len(text)
        self._next += 1

    def skip(self) -> None:
        """What is no row, but counts as one."""
        self._next += 1

    def take(self) -> Batch:
        """What waits, as a batch; then nothing waits. Raises InvalidInput for names that cannot be columns."""
        names = self._names or tuple({name: None for row in self._rows for name in row})
        if not self._names:
            check_names(names, self._content.name)
        columns = {name: pa.array([row.get(name) for row in self._rows], pa.string()) for name in names}
        batch = Batch(
            self._content.name,
            pa.table(columns),
            pa.array(self._numbers, pa.int64()),
            tuple(self._broken),
            declared=self._declared,
            optional_fields=not self._names,
            done=self._content.at_rest,
        )
        self._rows, self._numbers, self._broken, self._size = [], [], [], 0
        return batch
