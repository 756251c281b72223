"""Where the rows of a source go: its Delta table, and what the newest commit there says of the loads so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.artifacts import Dataset
from drivetrain.core.contract import Contract
from drivetrain.core.decoding import read_json
from drivetrain.core.loads import Loaded
from drivetrain.core.refs import Ref
from drivetrain.core.schema import Column, Schema
from drivetrain.ingest.keys import Numbers
from drivetrain.ingest.naming import Naming
from drivetrain.ingest.rules import is_nullable
from drivetrain.ingest.sketch import Sketch, keep_sketch, read_sketch
from drivetrain.store.catalog import Catalog
from drivetrain.store.parts import Part, without
from drivetrain.store.quarantine import Pin, Quarantine
from drivetrain.store.tables import Commit, Table, arrow_schema, schema_of


@dataclass(frozen=True)
class Standing:
    """What a dataset's commit says beside its rows.

    ``reader`` is the reader's cursor, ``columns`` are those of the source at the last load, ``contract`` is the
    digest of the row rules under which every row was admitted, ``load`` is the newest load, ``naming`` says how columns
    of the source stand in the table, ``sketch`` is the digest of what its values are like.
    """

    reader: str = ""
    columns: tuple[str, ...] = ()
    contract: str = ""
    quarantine: Pin = field(default_factory=Pin)
    load: Loaded = field(default_factory=Loaded)
    naming: Naming = field(default_factory=Naming)
    sketch: str = ""


class Destination:
    """The table of one source, as it stands now; write once, then make a new one."""

    def __init__(self, catalog: Catalog, name: str) -> None:
        self.name = name
        self._table = Table(catalog.table_path("datasets", name))
        self._state = self._table.state()
        self.standing = read_json(self._state.commit.cursor, Standing) if self._state is not None else Standing()
        self._sketches = catalog.table_path("sketches", name)
        self.quarantine = Quarantine(Table(catalog.table_path("quarantine", name)), self.standing.quarantine)

    @property
    def exists(self) -> bool:
        """Whether anything was ever loaded."""
        return self._state is not None

    @property
    def ref(self) -> Ref | None:
        """``dataset/name@version`` of what stands there, if anything does."""
        return Ref(Dataset.kind, self.name, str(self._state.version)) if self._state is not None else None

    @property
    def digest(self) -> str:
        """The digest over all loads so far; empty before the first."""
        return self._state.commit.digest if self._state is not None else ""

    @property
    def label(self) -> str:
        """``dataset/name@version`` of what stands there."""
        return str(self.ref or f"dataset/{self.name}@-")

    @cached_property
    def rows(self) -> ds.Dataset | None:
        """The rows that stand there; None before the first load."""
        return self._table.dataset(self._state.version) if self._state is not None else None

    def schema(self) -> Schema:
        """The columns that stand there."""
        rows = self.rows
        return Schema(()) if rows is None else schema_of(rows.schema)

    def naming(self, contract: Contract) -> Naming:
        """How columns stand in the table so far; what was ignored is so only while the contract says it."""
        naming = self.standing.naming
        return naming if contract.changes.new == "ignore" else replace(naming, ignored=())

    def sketch(self) -> Sketch:
        """What the values that were loaded so far are like."""
        return read_sketch(self._sketches, self.standing.sketch)

    def keep_sketch(self, sketch: Sketch) -> str:
        """Write a new one beside the table; it counts once a standing has its digest, which is given."""
        return keep_sketch(self._sketches, sketch, self.standing.sketch)

    def append(self, added: Sequence[Part], schema: Schema, said: tuple[Standing, str]) -> None:
        """Add rows, and the new standing and digest, in one commit."""
        self._table.place(added, _stored(schema), self._commit(said, added))

    def overwrite(self, rows: Sequence[Part], schema: Schema, said: tuple[Standing, str]) -> None:
        """Put rows in place of all that stand there, with the new standing and digest, in one commit."""
        commit = Commit(_text(said[0]), said[1], sum(part.rows for part in rows))
        self._table.place(rows, _stored(schema), commit, overwrite=True)

    def replace(
        self, added: Sequence[Part], gone: Callable[[Path], Numbers], work: Path, said: tuple[Standing, str]
    ) -> None:
        """Add rows, and take out those that ``gone`` names in each file that stands there, in one commit."""
        kept, removed, lost = [], [], 0
        for name in self._table.files():
            numbers = gone(self._table.path / name)
            if len(numbers):
                kept += without(self._table.path / name, numbers, work)
                removed.append(name)
                lost += len(numbers)
        self._table.exchange([*kept, *added], removed, self._commit(said, added, lost))

    def _commit(self, said: tuple[Standing, str], added: Sequence[Part], lost: int = 0) -> Commit:
        before = self._state.commit.rows if self._state is not None else 0
        return Commit(_text(said[0]), said[1], before - lost + sum(part.rows for part in added))

    def dataset(self, contract: Contract) -> Dataset:
        """The artefact of what stands there."""
        assert self._state is not None, "nothing was loaded yet"
        columns = (Column(one.name, one.type, is_nullable(contract, one.name)) for one in self.schema().columns)
        return Dataset(
            name=self.name,
            version=self._state.version,
            digest=self.digest,
            rows=self._state.commit.rows,
            quarantined=self.standing.quarantine.rows,
            schema=Schema(tuple(columns)),
            load=self.standing.load,
        )


def _text(standing: Standing) -> str:
    return msgspec.json.encode(standing).decode()


def _stored(schema: Schema) -> pa.Schema:
    """Nullable at rest, since a later contract may allow what this one does not."""
    return arrow_schema(Schema(tuple(Column(column.name, column.type) for column in schema.columns)))
