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

CASES = "_cases"
CASE = "_case"
GROUP = "_group"
ENTITY_TYPES = (ColumnType.INTEGER, ColumnType.TEXT)
TIME_TYPES = (ColumnType.DATE, ColumnType.TIMESTAMP)
MOST_CLASSES = 1000
_SQL_TYPES = {Task.YES_NO: "BOOLEAN", Task.CLASSES: "VARCHAR", Task.NUMBER: "DOUBLE"}


@dataclass(frozen=True)
class Spine:
    """The checked columns of the spine. ``group`` is the column that the split names, if it names one.

    The rows lie in CASES: CASE (0, 1, ... in the order of entity and time), entity, time and label (boolean, text or
    double, as the task says) by their own names, and the split's column as GROUP.
    """

    file: SqlFile
    entity: Column
    label: str
    time: Column | None
    group: Column | None
    rows: int
    task: Task

    @property
    def names(self) -> tuple[str, ...]:
        """Entity, time and label: the names that no feature may take."""
        return (self.entity.name, *([self.time.name] if self.time else []), self.label)

    @property
    def given(self) -> tuple[str, ...]:
        """Every column that the spine may give: the names and the split's column."""
        return tuple(dict.fromkeys((*self.names, *([self.group.name] if self.group else []))))


def make_spine(session: Session, file: SqlFile, spec: FeaturesSpec) -> Spine:
    """Run the spine's SQL and check it; the cases then lie in CASES.

    Raises InvalidInput that names the column and shows rows: missing columns, other columns than those, a label that is
    not what the task says in every row, an entity that is null or repeated.
    """
    schema = session.make(file, "_spine")
    entity = pick(schema, spec.entity, "features.entity", file, ENTITY_TYPES)
    label = pick(schema, spec.label, "features.label", file, tuple(ColumnType))
    time = pick(schema, spec.time, "features.time", file, TIME_TYPES) if spec.time else None
    group = (
        pick(schema, spec.split.column, "features.split.column", file, tuple(ColumnType)) if spec.split.column else None
    )
    spine = Spine(file, entity, label.name, time, group, session.count("SELECT count(*) FROM _spine"), spec.task)
    _refuse_others(spine, schema)
    _check_rows(session, spine)
    _CHECKS[spec.task](session, spine, label)
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


def _refuse_others(spine: Spine, schema: Schema) -> None:
    others = [name for name in schema.names if name not in spine.given]
    if others:
        raise InvalidInput(
            "spine_column",
            f"the spine holds more than entity, label, time and split column: {examples(others)}",
            where=spine.file.path,
            hint="move features to a feature table under `features.tables`",
        )


def _check_rows(session: Session, spine: Spine) -> None:
    if not spine.rows:
        raise InvalidInput(
            "spine_empty", "the spine has no rows", where=spine.file.path, hint="check its WHERE and the source's rows"
        )
    entity = quoted(spine.entity.name)
    for name in spine.given:
        missing = session.count(f"SELECT count(*) FROM _spine WHERE {quoted(name)} IS NULL")
        if missing:
            some = session.ask(f"SELECT {entity} FROM _spine WHERE {quoted(name)} IS NULL ORDER BY 1 LIMIT 5")
            shown = f", entities {examples(row[0] for row in some)}" if name != spine.entity.name else ""
            raise InvalidInput(
                "spine_null",
                f"column {name!r} is null in {missing:,} of {spine.rows:,} rows{shown}",
                where=spine.file.path,
                hint=f"leave them out: WHERE {quoted(name)} IS NOT NULL",
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
    kinds = session.ask(f"SELECT DISTINCT {_label(spine)} FROM _spine LIMIT 2")
    if len(kinds) == 1:
        raise InvalidInput(
            "label_constant",
            f"column {spine.label!r} is {str(kinds[0][0]).lower()} in every row, so there is nothing to learn",
            where=spine.file.path,
            hint="check how the SQL makes it, and its WHERE",
        )


def _label(spine: Spine) -> str:
    return f"CAST({quoted(spine.label)} AS {_SQL_TYPES[spine.task]})"


def _make_cases(session: Session, spine: Spine) -> None:
    columns = [quoted(column.name) for column in (spine.entity, spine.time) if column]
    order = ", ".join(columns)
    label = f"{_label(spine)} AS {quoted(spine.label)}"
    group = [f"{quoted(spine.group.name)} AS {GROUP}"] if spine.group else []
    session.run(
        f"CREATE TEMP TABLE {CASES} AS SELECT row_number() OVER (ORDER BY {order}) - 1 AS {CASE}, "
        f"{', '.join([*columns, label, *group])} FROM _spine"
    )
    session.run("DROP TABLE _spine")
