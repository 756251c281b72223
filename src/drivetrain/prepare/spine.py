"""The spine: one row per case, with entity, label and, if there is one, time."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import FeaturesSpec
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.task import Task
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.sql import SqlFile
from drivetrain.store.cases import BLOCK

CASES = "_cases"
CASE = "_case"
GROUP = "_group"
ENTITY_TYPES = (ColumnType.INTEGER, ColumnType.TEXT)
TIME_TYPES = (ColumnType.DATE, ColumnType.TIMESTAMP)
MOST_CLASSES = 1000
_OPEN = "; or set `features.open`, and they are kept to be scored"
_SQL_TYPES = {Task.YES_NO: "BOOLEAN", Task.CLASSES: "VARCHAR", Task.NUMBER: "DOUBLE"}


@dataclass(frozen=True)
class Spine:
    """The checked columns of the spine. ``group`` and ``block`` are columns that the split names, if it names them.

    The rows lie in CASES: CASE (0, 1, ... in the order of entity and time), entity, time, label (boolean, text or
    double, as the task says) and ``keep`` by their own names, and the split's columns as GROUP and BLOCK. The label
    may be null where the spec lets rows be ``open``, or learns ``blind``.
    """

    file: SqlFile
    entity: Column
    label: str
    time: Column | None
    group: Column | None
    block: Column | None
    rows: int
    spec: FeaturesSpec

    @property
    def task(self) -> Task:
        """What the label is."""
        return self.spec.task

    @property
    def keep(self) -> tuple[str, ...]:
        """Columns that are kept and that no model sees, without those that have a part of their own."""
        return tuple(name for name in dict.fromkeys(self.spec.keep) if name not in self._own)

    @property
    def names(self) -> tuple[str, ...]:
        """Entity, time, label and what is kept: the names that no feature may take."""
        return (*self._own, *self.keep)

    @property
    def given(self) -> tuple[str, ...]:
        """Every column that the spine may give: the names and the split's columns."""
        return tuple(dict.fromkeys((*self.names, *(column.name for column in (self.group, self.block) if column))))

    @property
    def filled(self) -> tuple[str, ...]:
        """Those that are never null."""
        free = {*self.keep, *([self.label] if self.spec.open or self.spec.blind else [])}
        return tuple(name for name in self.given if name not in free)

    @property
    def _own(self) -> tuple[str, ...]:
        return (self.entity.name, *([self.time.name] if self.time else []), self.label)


def make_spine(session: Session, file: SqlFile, spec: FeaturesSpec) -> Spine:
    """Run the spine's SQL and check it; the cases then lie in CASES.

    Raises InvalidInput that names the column and shows rows: missing columns, other columns than those, a label that is
    not what the task says in every row, an entity that is null or repeated.
    """
    schema = session.make(file, "_spine")
    entity = pick(schema, spec.entity, "features.entity", file, ENTITY_TYPES)
    label = pick(schema, spec.label, "features.label", file, tuple(ColumnType))
    time = pick(schema, spec.time, "features.time", file, TIME_TYPES) if spec.time else None
    group = _optional(schema, spec.split.column, "features.split.column", file)
    block = _optional(schema, spec.split.blocks, "features.split.blocks", file)
    for name in spec.keep:
        pick(schema, name, "features.keep", file, tuple(ColumnType))
    rows = session.count("SELECT count(*) FROM _spine")
    spine = Spine(file, entity, label.name, time, group, block, rows, spec)
    _refuse_others(spine, schema)
    _check_rows(session, spine)
    _CHECKS[spec.task](session, spine, label)
    if not spec.blind:
        _refuse_constant(session, spine)
    _make_cases(session, spine)
    return spine


def pick(schema: Schema, name: str, key: str, file: SqlFile, types: tuple[ColumnType, ...]) -> Column:
    """The column that the project file names under ``key``; raises InvalidInput if it is missing or of other types."""
    if name not in schema.names:
        near = difflib.get_close_matches(name, schema.names, n=1, cutoff=0.5)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise InvalidInput(
            "column_missing",
            f"the SQL gives no column {name!r}, which `{key}` names",
            where=file.path,
            hint=f"{guess}it gives {examples(schema.names, 20)}; add `AS {quoted(name)}`",
        )
    column = schema.column(name)
    if column.type not in types:
        raise InvalidInput(
            "column_type",
            f"column {name!r} is {column.type}; `{key}` needs {' or '.join(types)}",
            where=file.path,
            hint=f"cast it: CAST({quoted(name)} AS ...)",
        )
    return column


def _optional(schema: Schema, name: str | None, key: str, file: SqlFile) -> Column | None:
    return pick(schema, name, key, file, tuple(ColumnType)) if name else None


def _refuse_others(spine: Spine, schema: Schema) -> None:
    others = [name for name in schema.names if name not in spine.given]
    if others:
        raise InvalidInput(
            "spine_column",
            f"the spine holds more than entity, label, time and split column: {examples(others)}",
            where=spine.file.path,
            hint="move features to a feature table under `features.tables`; `features.keep` names what none sees",
        )


def _check_rows(session: Session, spine: Spine) -> None:
    if not spine.rows:
        raise InvalidInput(
            "spine_empty", "the spine has no rows", where=spine.file.path, hint="check its WHERE and the source's rows"
        )
    entity = quoted(spine.entity.name)
    for name in spine.filled:
        missing = session.count(f"SELECT count(*) FROM _spine WHERE {quoted(name)} IS NULL")
        if missing:
            some = session.ask(f"SELECT {entity} FROM _spine WHERE {quoted(name)} IS NULL ORDER BY 1 LIMIT 5")
            shown = f", entities {examples(row[0] for row in some)}" if name != spine.entity.name else ""
            raise InvalidInput(
                "spine_null",
                f"column {name!r} is null in {missing:,} of {spine.rows:,} rows{shown}",
                where=spine.file.path,
                hint=f"leave them out: WHERE {quoted(name)} IS NOT NULL{_OPEN if name == spine.label else ''}",
            )
    key = ", ".join(quoted(column.name) for column in (spine.entity, spine.time) if column)
    repeated = session.ask(
        f"SELECT {key}, count(*) FROM _spine GROUP BY {key} HAVING count(*) > 1 ORDER BY {key} LIMIT 6"
    )
    if repeated:
        shown = examples(f"{' at '.join(str(value) for value in row[:-1])} ({row[-1]} rows)" for row in repeated)
        raise InvalidInput(
            "entity_repeated",
            f"column {spine.entity.name!r} does not name one case: {shown}",
            where=spine.file.path,
            hint="make one row per case (GROUP BY or DISTINCT), or declare `features.time` if a case is one at a time",
        )


def _check_yes_no(session: Session, spine: Spine, label: Column) -> None:
    number = label.type in (ColumnType.INTEGER, ColumnType.NUMBER)
    name = quoted(label.name)
    bad = "false" if label.type is ColumnType.BOOLEAN else f"{name} NOT IN (0, 1)" if number else "true"
    others = session.ask(f"SELECT DISTINCT {name} FROM _spine WHERE {bad} ORDER BY 1 LIMIT 6")
    if others:
        held = examples(repr(value) if number else str(value) for (value,) in others)
        raise InvalidInput(
            "label_not_binary",
            f"column {label.name!r} is {label.type} and holds {held}; a label is true or false, or 0 or 1",
            where=spine.file.path,
            hint=f"say what is true: {name} = ... AS {name}; or set `features.task` to `classes` or `number`",
        )


def _check_classes(session: Session, spine: Spine, label: Column) -> None:
    name = quoted(label.name)
    classes = session.count(f"SELECT count(DISTINCT CAST({name} AS VARCHAR)) FROM _spine")
    if classes > MOST_CLASSES:
        raise InvalidInput(
            "label_classes",
            f"column {label.name!r} holds {classes:,} different texts; at most {MOST_CLASSES:,} classes can be learned",
            where=spine.file.path,
            hint="join rare ones: CASE WHEN ... THEN 'other' END; or set `features.task` to `number`",
        )


def _check_number(session: Session, spine: Spine, label: Column) -> None:
    name = quoted(label.name)
    if label.type not in (ColumnType.INTEGER, ColumnType.NUMBER):
        raise InvalidInput(
            "label_not_number",
            f"column {label.name!r} is {label.type}; `features.task: number` needs an integer or a number",
            where=spine.file.path,
            hint=f"cast it: CAST({name} AS DOUBLE) AS {name}",
        )
    infinite = session.count(f"SELECT count(*) FROM _spine WHERE NOT isfinite(CAST({name} AS DOUBLE))")
    if infinite:
        raise InvalidInput(
            "label_not_number",
            f"column {label.name!r} is infinite or not a number in {infinite:,} rows",
            where=spine.file.path,
            hint=f"leave them out: WHERE isfinite({name})",
        )


_CHECKS = {Task.YES_NO: _check_yes_no, Task.CLASSES: _check_classes, Task.NUMBER: _check_number}


def _refuse_constant(session: Session, spine: Spine) -> None:
    known = f"{quoted(spine.label)} IS NOT NULL"
    kinds = session.ask(f"SELECT DISTINCT {_label(spine)} FROM _spine WHERE {known} LIMIT 2")
    if len(kinds) < 2:
        only = str(kinds[0][0]).lower() if kinds else "null"
        raise InvalidInput(
            "label_constant",
            f"column {spine.label!r} is {only} in every row, so there is nothing to learn",
            where=spine.file.path,
            hint="check how the SQL makes it, and its WHERE",
        )


def _label(spine: Spine) -> str:
    return f"CAST({quoted(spine.label)} AS {_SQL_TYPES[spine.task]})"


def _make_cases(session: Session, spine: Spine) -> None:
    columns = [quoted(column.name) for column in (spine.entity, spine.time) if column]
    order = ", ".join(columns)
    label = f"{_label(spine)} AS {quoted(spine.label)}"
    named = ((spine.group, GROUP), (spine.block, BLOCK))
    parting = [f"{quoted(column.name)} AS {name}" for column, name in named if column]
    session.run(
        f"CREATE TEMP TABLE {CASES} AS SELECT row_number() OVER (ORDER BY {order}) - 1 AS {CASE}, "
        f"{', '.join([*columns, label, *map(quoted, spine.keep), *parting])} FROM _spine"
    )
    session.run("DROP TABLE _spine")
