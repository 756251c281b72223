"""Which columns of a source are left out of its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from drivetrain.core.schema import Schema
from drivetrain.store.files.batches import Batch


@dataclass(frozen=True)
class Naming:
    """How the columns of a source stand in its table: ``ignored`` ones do not."""

    ignored: tuple[str, ...] = ()

    def applied(self, batch: Batch) -> Batch:
        """The batch as the table knows it."""
        gone = [name for name in batch.rows.column_names if name in self.ignored]
        if not gone:
            return batch
        declared = batch.declared and _kept(batch.declared, gone)
        return replace(batch, rows=batch.rows.drop_columns(gone), declared=declared)


AS_IT_IS = Naming()


def _kept(schema: Schema, gone: Sequence[str]) -> Schema:
    return Schema(tuple(column for column in schema.columns if column.name not in gone))
