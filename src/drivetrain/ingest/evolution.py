"""What the source's columns are now, against what they were: the types of the table, and the changes to agree to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivetrain.core.contract import Contract
from drivetrain.core.errors import Refused
from drivetrain.core.schema import Column, ColumnType, Schema, SchemaChange
from drivetrain.ingest.columns import Columns, Found, wider
from drivetrain.ingest.readership import readership
from drivetrain.store.catalog import Catalog

_HALF = 0.5


@dataclass(frozen=True)
class Evolution:
    """``source``: the columns that the source has now; ``table``: those that the table will have; what changes."""

    source: tuple[str, ...]
    table: Schema
    changes: tuple[SchemaChange, ...]


def evolve(columns: Columns, contract: Contract, known: tuple[str, ...], table: Schema) -> Evolution:
    """Resolve the columns of the rows that passed; ``known`` and ``table`` are those of the load before, if any.

    A contract says the type of its columns. Others have the type the source declares, else the one the table holds,
    else the narrowest that all values are written like. A held type gives way, to one that takes both old and new
    values, where the source declares another, or where most new values (two at least) are not of it and they are more
    than the bad rows that the contract puts up with.
    """
    before = known or _first(columns.portions)
    every = tuple(dict.fromkeys([*before, *(name for found in columns.portions.values() for name in found.columns)]))
    source = tuple(name for name in every if name not in _gone(before, columns.portions))
    held = {column.name: column.type for column in table.columns}
    seen = _seen(columns, contract, every, held)
    old = Schema(tuple(Column(name, held.get(name, seen.get(name, ColumnType.TEXT))) for name in before))
    changes = old.changes_to(Schema(tuple(Column(name, seen[name]) for name in source)))
    ruled = {name: rule.type for name, rule in contract.columns.items()}
    types = {**held, **seen, **{name: kind for name, kind in ruled.items() if name in seen}}
    return Evolution(source, Schema(tuple(Column(name, kind) for name, kind in types.items())), changes)


def refuse_changes(changes: tuple[SchemaChange, ...], name: str, catalog: Catalog) -> Refused:
    """The error that shows the changes, and the features and models that read what changes."""
    readers = readership(catalog, name, tuple(change.name for change in changes if change.old is not None))
    lines = [f"  {change}" for change in changes]
    lines += ["read by:", *(f"  {reader}" for reader in readers)] if readers else []
    return Refused(
        "schema_changed",
        "the columns of the source are not what they were\n" + "\n".join(lines),
        where=f"source {name}",
        hint=f"correct the source or the contract; or agree with `drivetrain ingest {name} --accept-schema`",
    )


def _first(portions: Mapping[str, Found]) -> tuple[str, ...]:
    """The columns of the first portion that has rows for all of them; of all, where fields are optional."""
    for found in portions.values():
        if not found.optional:
            return tuple(found.columns)
    return tuple({name: None for found in portions.values() for name in found.columns})


def _gone(before: tuple[str, ...], portions: Mapping[str, Found]) -> set[str]:
    return {name for found in portions.values() if not found.optional for name in before if name not in found.columns}


def _seen(
    columns: Columns, contract: Contract, names: tuple[str, ...], held: Mapping[str, ColumnType]
) -> dict[str, ColumnType]:
    """The type of each column by what the source says and holds now."""
    most, seen = max(_HALF, contract.max_bad_share), {}
    for name in names:
        kind = contract.columns[name].type if name in contract.columns else held.get(name)
        values = columns.readable.get(name) if name in held else None
        if kind is None:
            kind = columns.declared.get(name) or columns.looks.get(name, ColumnType.TEXT)
        elif values is not None and values.looks is not None and values.bad > 1 and values.bad > most * values.values:
            kind = wider(kind, values.looks)
        elif name in columns.declared and name not in contract.columns:
            kind = wider(kind, columns.declared[name])
        seen[name] = kind
    return seen
