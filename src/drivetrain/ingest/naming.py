"""How the columns of a source stand in its table: under their old names, or left out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drivetrain.core.schema import Column, Schema
from drivetrain.store.files.batches import Batch


@dataclass(frozen=True)
class Naming:
    """``renamed`` columns of the source (their names there) stand under other names; ``ignored`` ones do not stand."""

    ignored: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)

    def applied(self, batch: Batch) -> Batch:
        """The batch as the table knows it. Rows that still have the old name keep both columns."""
        there = batch.rows.column_names
        names = {name: self._name(name, there) for name in there if name not in self.ignored}
        if list(names.values()) == there:
            return batch
        rows = batch.rows.select(list(names)).rename_columns(list(names.values()))
        return replace(batch, rows=rows, declared=batch.declared and self._declared(batch.declared, names))

    def _name(self, name: str, there: list[str]) -> str:
        new = self.renamed.get(name, name)
        return name if new in there else new

    def _declared(self, schema: Schema, names: dict[str, str]) -> Schema:
        kept = (column for column in schema.columns if column.name not in self.ignored)
        return Schema(tuple(Column(names.get(one.name, one.name), one.type, one.nullable) for one in kept))


AS_IT_IS = Naming()
