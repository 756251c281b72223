"""What the source's columns are now, against what they were: the types of the table, and the changes to agree to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from drivetrain.core.changes import SourceChange, of_schema
from drivetrain.core.contract import Contract
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.ingest.columns import Columns, Found, wider
from drivetrain.ingest.naming import AS_IT_IS, Naming
from drivetrain.ingest.rules import named_columns
from drivetrain.ingest.sketch import Measured, Sketch
from drivetrain.ingest.unlike import renamed

_HALF = 0.5


@dataclass(frozen=True)
class Evolution:
    """``source``: the columns that the source has now, but those it ignores; ``table``: those that the table will have.

    ``reviews`` are those by which the changes came in.
    """

    source: tuple[str, ...]
    table: Schema
    changes: tuple[SourceChange, ...]
    naming: Naming
    reviews: tuple[str, ...] = ()


@dataclass(frozen=True)
class Held:
    """What the load before left: the columns of the source then, those of the table, and how one became the other.

    ``sketch`` is what the values of the table are like, ``load`` what those of the load are like.
    """

    known: tuple[str, ...] = ()
    table: Schema = field(default_factory=lambda: Schema(()))
    naming: Naming = AS_IT_IS
    sketch: Sketch = field(default_factory=dict)
    load: Mapping[str, Measured] = field(default_factory=dict)


NOTHING = Held()


def evolve(columns: Columns, contract: Contract, held_before: Held = NOTHING) -> Evolution:
    """Resolve the columns of the rows that passed, against those of the load before, if any.

    A contract says the type of its columns. Others have the type the source declares, else the one the table holds,
    else the narrowest that all values are written like. A held type gives way, to one that takes both old and new
    values, where the source declares another, or where most new values (two at least) are not of it and they are more
    than the bad rows that the contract puts up with.
    """
    before = held_before.known or _first(columns.portions)
    every = tuple(dict.fromkeys([*before, *(name for found in columns.portions.values() for name in found.columns)]))
    source = tuple(name for name in every if name not in _gone(before, columns.portions))
    held = {column.name: column.type for column in held_before.table.columns}
    seen = _seen(columns, contract, every, held)
    old = Schema(tuple(Column(name, held.get(name, seen.get(name, ColumnType.TEXT))) for name in before))
    changes = tuple(map(of_schema, old.changes_to(Schema(tuple(Column(name, seen[name]) for name in source)))))
    names, changes = _to_rename(changes, contract, held_before)
    ignored = _to_ignore(changes, contract)
    naming = _naming(held_before.naming, names, ignored, changes)
    source = tuple(names.get(name, name) for name in source if name not in ignored)
    ruled = {name: rule.type for name, rule in contract.columns.items()}
    types = {**held, **seen, **{name: kind for name, kind in ruled.items() if name in seen}}
    left_out = {*ignored, *names}
    table = Schema(tuple(Column(name, kind) for name, kind in types.items() if name not in left_out))
    changes = tuple(_noted(change, held_before.load) for change in changes if change.column not in ignored)
    return Evolution(source, table, changes, naming)


def _to_rename(
    changes: tuple[SourceChange, ...], contract: Contract, held: Held
) -> tuple[dict[str, str], tuple[SourceChange, ...]]:
    """New names and the columns they stand for, and the changes with each such pair as one."""
    if contract.changes.renamed == "ignore":
        return {}, changes
    named = named_columns(contract)
    dropped = {change.column: change.old for change in changes if change.kind == "dropped"}
    new = {change.column: change.new for change in changes if change.kind == "new" and change.column not in named}
    pairs = renamed(dropped, new, held.sketch, held.load)
    names = {name: old for old, (name, _) in pairs.items()}
    kept = tuple(change for change in changes if change.column not in pairs and change.column not in names)
    said = (SourceChange("renamed", old, dropped[old], name, why) for old, (name, why) in pairs.items())
    return names, (*said, *kept)


def _naming(before: Naming, names: Mapping[str, str], ignored: set[str], changes: tuple[SourceChange, ...]) -> Naming:
    """A name that comes back as a column of its own stands for no other any longer."""
    new = {change.column for change in changes if change.kind == "new"}
    stay = {name: column for name, column in before.renamed.items() if name not in new}
    return Naming((*before.ignored, *sorted(ignored)), {**stay, **names})


def _noted(change: SourceChange, load: Mapping[str, Measured]) -> SourceChange:
    """A new column with some of its values."""
    shown = load[change.column].examples if change.kind == "new" and change.column in load else ()
    return replace(change, note=f"such as {', '.join(shown)}") if shown else change


def _to_ignore(changes: tuple[SourceChange, ...], contract: Contract) -> set[str]:
    """New columns that the contract wants left out and does not speak of itself."""
    if contract.changes.new != "ignore":
        return set()
    return {change.column for change in changes if change.kind == "new"} - set(named_columns(contract))


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
