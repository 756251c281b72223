"""Feature tables joined to the cases: by entity, and by what was so, and was known, at the time of the case."""

from __future__ import annotations

from dataclasses import dataclass

from drivetrain.core.errors import InvalidInput, Refused, examples
from drivetrain.core.project import FeatureTable
from drivetrain.core.schema import Column, Schema
from drivetrain.core.windows import WindowPlan
from drivetrain.prepare.online import plan_online
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.spine import CASE, CASES, ENTITY_TYPES, TIME_TYPES, Spine, pick
from drivetrain.prepare.sql import SqlFile
from drivetrain.store.cases import SPLIT


@dataclass(frozen=True)
class Joined:
    """A feature table after its join: ``table`` holds CASE and the inputs, a row for each case that it ``matched``.

    ``windows`` is the plan of an online table.
    """

    file: SqlFile
    table: str
    inputs: tuple[Column, ...]
    matched: int
    windows: WindowPlan | None = None


def join_table(session: Session, position: int, file: SqlFile, spec: FeatureTable, spine: Spine) -> Joined:
    """Run one feature table's SQL, check it, and join it to the cases.

    With times the newest row counts whose event time, and knowledge time, are at or before the time of the case;
    of equals the one known last, then the one with the greatest values in column order. A date is its first moment.
    Raises InvalidInput for what a person got wrong in the table and Refused for the label among its columns.
    """
    made, joined = "_made", f"_joined_{position}"
    schema = session.make(file, made)
    entity = pick(schema, spine.entity.name, "features.entity", file, ENTITY_TYPES)
    if entity.type is not spine.entity.type:
        raise InvalidInput(
            "entity_type",
            f"column {entity.name!r} is {entity.type} here and {spine.entity.type} in {spine.file.path}",
            where=file.path,
            hint="cast one of them, so that both are the same type",
        )
    windows = plan_online(session, file, schema, spec, spine) if spec.online else None
    if windows is not None:
        _round(session, made, windows)
    timed = _times(session, made, file, schema, spec, spine)
    inputs = _inputs(file, schema, spec, spine)
    session.run(
        _newest(made, joined, inputs, timed, spine) if timed else _only(session, made, joined, inputs, spine, file)
    )
    session.run(f"DROP TABLE {quoted(made)}")
    matched = session.count(f"SELECT count(*) FROM {quoted(joined)}")
    if not matched:
        raise InvalidInput(
            "nothing_joined",
            "no row of the table belongs to a case",
            where=file.path,
            hint=f"compare {spine.entity.name!r} (and the times) here and in {spine.file.path}",
        )
    return Joined(file, joined, inputs, matched, windows)


def _inputs(file: SqlFile, schema: Schema, spec: FeatureTable, spine: Spine) -> tuple[Column, ...]:
    aside = {spine.entity.name, spec.event_time, spec.knowledge_time}
    inputs = tuple(column for column in schema.columns if column.name not in aside)
    taken = {name.lower() for name in spine.names}
    for column in inputs:
        if column.name.lower() == spine.label.lower():
            raise Refused(
                "leak_label",
                f"column {column.name!r} is the label itself, among the features",
                where=file.path,
                hint="take it out of this SELECT",
            )
        if column.name.lower() in taken or column.name.lower() == SPLIT or column.name.startswith("_"):
            raise InvalidInput(
                "column_reserved",
                f"no feature can be named {column.name!r}: the name is taken",
                where=file.path,
                hint="give it another name with AS (names that start with _ are ours)",
            )
    if not inputs:
        raise InvalidInput(
            "table_without_features",
            "the table has no column but its entity and times",
            where=file.path,
            hint="select at least one feature, or take the table out of drivetrain.yaml",
        )
    return inputs


def _round(session: Session, made: str, windows: WindowPlan) -> None:
    """Round what is added up, as ``ops.expressions.rounded`` does; so it is the same in whatever order it was."""
    names = [quoted(feature.name) for feature in windows.features if feature.rounded]
    if names:
        values = ", ".join(f"CAST(CAST(round({name}, 6) AS FLOAT) AS DOUBLE) AS {name}" for name in names)
        session.run(f"CREATE OR REPLACE TEMP TABLE {quoted(made)} AS SELECT * REPLACE ({values}) FROM {quoted(made)}")


def _times(
    session: Session, made: str, file: SqlFile, schema: Schema, spec: FeatureTable, spine: Spine
) -> tuple[str, str] | None:
    """The event and knowledge time columns, each standing in for the other when only one is declared."""
    event, known = spec.event_time or spec.knowledge_time, spec.knowledge_time or spec.event_time
    if event is None or known is None:
        return None
    if spine.time is None:
        raise InvalidInput(
            "time_undeclared",
            f"{event!r} can be compared with nothing: the cases have no time",
            where=file.path,
            hint="select the time of each case in the spine and name it under `features.time`",
        )
    for key, name in (("event_time", spec.event_time), ("knowledge_time", spec.knowledge_time)):
        if name is not None:
            pick(schema, name, key, file, TIME_TYPES)
    ((rows, present),) = session.ask(f"SELECT count(*), count({quoted(event)}) FROM {quoted(made)}")
    if rows != present:
        raise InvalidInput(
            "event_time_null",
            f"column {event!r} is null in some of the {rows:,} rows ({present:,} have it); those have no place in time",
            where=file.path,
            hint=f"leave them out: WHERE {quoted(event)} IS NOT NULL",
        )
    return event, known


def _only(session: Session, made: str, joined: str, inputs: tuple[Column, ...], spine: Spine, file: SqlFile) -> str:
    """The statement that joins a table with one row per entity; raises InvalidInput with examples when it has more."""
    entity = quoted(spine.entity.name)
    repeated = session.ask(
        f"SELECT {entity}, count(*) FROM {quoted(made)} WHERE {entity} IS NOT NULL "
        f"GROUP BY {entity} HAVING count(*) > 1 ORDER BY {entity} LIMIT 6"
    )
    if repeated:
        raise InvalidInput(
            "entity_repeated",
            f"{spine.entity.name!r} has several rows: {examples(f'{name} ({count} rows)' for name, count in repeated)}",
            where=file.path,
            hint=f"GROUP BY {entity}, or declare `event_time` so that the newest row counts",
        )
    return (
        f"CREATE TEMP TABLE {quoted(joined)} AS SELECT c.{CASE}, {_list('m', inputs)} "
        f"FROM {CASES} c JOIN {quoted(made)} m ON m.{entity} = c.{entity}"
    )


def _newest(made: str, joined: str, inputs: tuple[Column, ...], times: tuple[str, str], spine: Spine) -> str:
    """The statement that joins, for each case, the newest row visible at its time.

    ``place`` orders all rows of an entity by event time, knowledge time and values; a row is visible once both times
    have come. The greatest place among the rows visible so far is a running maximum, so one ASOF join finds it.
    """
    assert spine.time is not None
    entity, time = quoted(spine.entity.name), quoted(spine.time.name)
    event, known = (f"CAST({quoted(name)} AS TIMESTAMPTZ)" for name in times)
    order = ", ".join([event, known, *(quoted(column.name) for column in inputs)])
    return f"""
        CREATE TEMP TABLE {quoted(joined)} AS
        WITH placed AS MATERIALIZED (
            SELECT *, greatest({event}, {known}) AS _visible, row_number() OVER (ORDER BY {order}) AS _place
            FROM {quoted(made)} WHERE {quoted(times[1])} IS NOT NULL
        ),
        best AS (
            SELECT {entity}, _visible, max(max(_place)) OVER (PARTITION BY {entity} ORDER BY _visible) AS _place
            FROM placed GROUP BY {entity}, _visible
        )
        SELECT c.{CASE}, {_list("p", inputs)}
        FROM {CASES} c
        ASOF JOIN best b ON b.{entity} = c.{entity} AND b._visible <= CAST(c.{time} AS TIMESTAMPTZ)
        JOIN placed p ON p._place = b._place
    """


def _list(alias: str, columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{alias}.{quoted(column.name)}" for column in columns)
