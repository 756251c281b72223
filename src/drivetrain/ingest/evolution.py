"""What the source's columns are now, against what they were: the types of the table, and the changes to agree to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivetrain.core.contract import Contract
from drivetrain.core.errors import Refused
from drivetrain.core.schema import Column, ColumnType, Schema, SchemaChange
from drivetrain.ingest.readership import readership
from drivetrain.ingest.staging import Found, Staging
from drivetrain.store.catalog import Catalog

_HALF = 0.5
_WIDER = {
    frozenset({ColumnType.INTEGER, ColumnType.NUMBER}): ColumnType.NUMBER,
    frozenset({ColumnType.DATE, ColumnType.TIMESTAMP}): ColumnType.TIMESTAMP,
}


@dataclass(frozen=True)
class Evolution:
    """``source``: the columns that the source has now; ``table``: those that the table will have; what changes."""

    source: tuple[str, ...]
    table: Schema
    changes: tuple[SchemaChange, ...]


def evolve(staging: Staging, contract: Contract, known: tuple[str, ...], table: Schema) -> Evolution:
    """Resolve the columns of the staged source rows; ``known`` and ``table`` are those of the load before, if any.

    A contract says the type of its columns. Others have the type the source declares, else the one the table holds,
    else the narrowest that all values are written like. A held type gives way, to one that takes both old and new
    values, where the source declares another, or where most new values (two at least) are not of it and they are more
    than the bad rows that the contract puts up with.
    """
    before = known or _first(staging.portions)
    every = tuple(dict.fromkeys([*before, *(name for found in staging.portions.values() for name in found.columns)]))
    source = tuple(name for name in every if name not in _gone(before, staging.portions))
    held = {column.name: column.type for column in table.columns}
    seen = _seen(staging, contract, every, held)
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
    staging: Staging, contract: Contract, names: tuple[str, ...], held: Mapping[str, ColumnType]
) -> dict[str, ColumnType]:
    """The type of each column by what the source says and holds now."""
    expected = {name: contract.columns[name].type if name in contract.columns else held.get(name) for name in names}
    declared = _declared(staging.portions)
    columns = tuple(Column(name, kind) for name, kind in expected.items() if kind is not None and name in held)
    most = max(_HALF, contract.max_bad_share)
    lost = {name for name, (bad, of) in staging.unreadable(Schema(columns)).items() if bad > 1 and bad > most * of}
    open_columns = [name for name in names if expected[name] is None and name not in declared]
    inferred = staging.infer([name for name in (*open_columns, *sorted(lost)) if name in staging.columns])
    seen = {}
    for name in names:
        kind = expected[name]
        if kind is None:
            kind = declared.get(name) or inferred.get(name, ColumnType.TEXT)
        elif name in lost:
            kind = wider(kind, inferred[name])
        elif name in declared and name not in contract.columns:
            kind = wider(kind, declared[name])
        seen[name] = kind
    return seen


def _declared(portions: Mapping[str, Found]) -> dict[str, ColumnType]:
    types: dict[str, ColumnType] = {}
    for found in portions.values():
        for column in found.declared.columns if found.declared else ():
            types[column.name] = wider(types.get(column.name, column.type), column.type)
    return types


def wider(one: ColumnType, other: ColumnType) -> ColumnType:
    """The narrowest type that takes the values of both."""
    return one if one is other else _WIDER.get(frozenset({one, other}), ColumnType.TEXT)
