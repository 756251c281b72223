"""The SQL of an online table as data: what a server can keep up to date by itself, event by event.

One SELECT from one source: the entity, columns, windows, and a few operations on them. Everything else is refused, and
the refusal names the column: what the server does must be what the SQL says.
"""

from __future__ import annotations

from collections.abc import Mapping

from drivetrain.core.errors import InvalidInput, Refused, examples
from drivetrain.core.project import FeatureTable
from drivetrain.core.schema import ColumnType, Schema
from drivetrain.core.windows import Aggregate, OnlineFeature, Window, WindowPlan
from drivetrain.ops.sql_steps import StepReader, as_node, as_nodes, last_name, type_of
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.spine import Spine
from drivetrain.prepare.sql import Node, SqlFile, place_of

_AGGREGATES: Mapping[str, Aggregate] = {
    "count": "count", "count_star": "count", "sum": "sum", "avg": "avg", "mean": "avg", "min": "min", "max": "max",
    "stddev": "stddev", "stddev_samp": "stddev",
}  # fmt: skip
_NUMBERS = (ColumnType.INTEGER, ColumnType.NUMBER, ColumnType.BOOLEAN)
_CLAUSES = ("where_clause", "group_expressions", "having", "qualify", "sample", "modifiers")
_FRAME = "RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND CURRENT ROW EXCLUDE TIES"
_HINT = "the forms that a server can keep stand in docs/rooms/prepare.md; or take `online` away and send the column"


def plan_online(session: Session, file: SqlFile, made: Schema, spec: FeatureTable, spine: Spine) -> WindowPlan:
    """The plan of an online table whose SQL gave the columns ``made``.

    Raises Refused with the column and the place for what no server can keep, InvalidInput for times that are missing.
    """
    select = _select(session, file)
    reading = _Reading(session, file, _source(session, file, select))
    features: list[OnlineFeature] = []
    entity = ""
    for item, column in zip(as_nodes(select["select_list"]), made.columns, strict=True):
        reading.at = column.name
        if column.name == spine.entity.name:
            entity = reading.column(item)
            continue
        steps = tuple(reading.steps(item))
        bare = len(steps) == 1 and steps[0].do == "column"
        features.append(OnlineFeature(column.name, steps, column.type is ColumnType.NUMBER and not bare))
    if not reading.windows:
        raise _refused(file.path, "the table has no window", f"write one: count(*) OVER (... {_FRAME})")
    _check_times(session, file, reading)
    columns = tuple(reading.source.column(name) for name in reading.read if name not in (reading.time, entity))
    return WindowPlan(
        source=reading.name,
        entity=entity,
        time=reading.time,
        columns=columns,
        windows=tuple(reading.windows),
        features=tuple(features),
        late_micros=round(spec.late_hours * 3.6e9),
    )


class _Reading(StepReader):
    """One table being read: ``at`` is the column of the SELECT, ``time`` what all windows are ordered by."""

    def __init__(self, session: Session, file: SqlFile, source: tuple[str, Schema]) -> None:
        self._session = session
        self._file = file
        self.name, self.source = source
        self.at = ""
        self.time = ""
        self.windows: list[Window] = []
        self.read: dict[str, None] = {}

    def column(self, node: Node) -> str:
        """The column of the source that a node is; raises Refused when it is anything else."""
        if node.get("class") != "COLUMN_REF":
            raise self.refused(node, "is no column of the source")
        said = last_name(node)
        for column in self.source.columns:
            if column.name.lower() == said.lower():
                self.read[column.name] = None
                return column.name
        raise self.refused(node, f"reads {said!r}, of a type that no model takes")

    def refused(self, node: Node, why: str, hint: str = _HINT) -> Refused:
        """What cannot be kept, and where it stands."""
        return _refused(place_of(self._file, node), f"column {self.at!r} {why}", hint)

    # --- windows -----------------------------------------------------------------------------------------------

    def window(self, node: Node) -> int:
        """The number of a window in the plan."""
        name = str(node["function_name"]).lower()
        if name == "lag":
            self._refuse_lag(node)
        if node["type"] != "WINDOW_AGGREGATE" or name not in _AGGREGATES:
            raise self.refused(node, f"uses {name} OVER, which is not kept online")
        aggregate = _AGGREGATES[name]
        if node["distinct"]:
            if aggregate != "count":
                raise self.refused(node, f"uses {name}(DISTINCT ...), which is not kept online")
            aggregate = "distinct"
        if node["arg_orders"] or len(as_nodes(node["children"])) > 1:
            raise self.refused(node, f"gives {name} more than one column")
        self._order(node)
        window = Window(
            aggregate,
            self._key(node),
            self._value(node, aggregate),
            self._where(node),
            self._length(node),
            node["exclude_clause"] == "TIES",
        )
        if window not in self.windows:
            self.windows.append(window)
        return self.windows.index(window)

    def _key(self, node: Node) -> tuple[str, ...]:
        key = tuple(self.column(part) for part in as_nodes(node["partitions"]))
        if not key:
            raise self.refused(node, "has a window over everything", "say whose events count: PARTITION BY card")
        return key

    def _value(self, node: Node, aggregate: Aggregate) -> str:
        children = as_nodes(node["children"])
        if not children:
            return ""
        name = self.column(children[0])
        kind = self.source.column(name).type
        fits = _NUMBERS if aggregate in ("sum", "avg", "stddev") else (*_NUMBERS, ColumnType.TIMESTAMP)
        if aggregate not in ("count", "distinct") and kind not in fits:
            raise self.refused(children[0], f"takes the {aggregate} of {name!r}, which is {kind}")
        if name == self.time and aggregate not in ("min", "max", "count"):
            raise self.refused(children[0], f"takes the {aggregate} of the time of the events")
        return name

    def _where(self, node: Node) -> str:
        condition = node["filter_expr"]
        if condition is None:
            return ""
        name = self.column(as_node(condition))
        if self.source.column(name).type is not ColumnType.BOOLEAN:
            raise self.refused(node, f"filters by {name!r}, which is not true or false")
        return name

    def _order(self, node: Node) -> None:
        orders = as_nodes(node["orders"])
        if len(orders) != 1 or "DESC" in str(orders[0]["type"]):
            raise self.refused(node, "is not ordered by one time", "ORDER BY the moment of the events, rising")
        time = self.column(as_node(orders[0]["expression"]))
        if self.time not in ("", time):
            raise self.refused(node, f"is ordered by {time!r}, another window by {self.time!r}", "one time for all")
        self.time = time

    def _length(self, node: Node) -> int:
        """The length of the frame in microseconds."""
        if node["start"] != "EXPR_PRECEDING_RANGE" or node["end"] != "CURRENT_ROW_RANGE":
            raise self.refused(node, "has a frame that is not kept online", f"write {_FRAME}")
        if node["exclude_clause"] not in ("TIES", "GROUP"):
            raise self.refused(
                node,
                "counts events of the same moment, of which nobody knows which came first",
                "add EXCLUDE TIES (the event itself and what was before) or EXCLUDE GROUP (only what was before)",
            )
        text = _interval(as_node(node["start_expr"]))
        if text is None:
            raise self.refused(node, "has a length that is not written out", "write INTERVAL 7 DAYS")
        ((micros, months),) = self._session.ask(
            f"SELECT CAST(epoch(i) * 1000000 AS BIGINT), datepart('year', i) * 12 + datepart('month', i) "
            f"FROM (SELECT {text} AS i)"
        )
        assert isinstance(micros, int)
        if months or micros <= 0:
            raise self.refused(node, f"has the length {text}", "say it in days, hours, minutes or seconds")
        return micros

    def _refuse_lag(self, node: Node) -> None:
        raise self.refused(
            node,
            "uses lag, which needs every key for ever and puts events of one moment into an order",
            "seconds since the last event: epoch(t) - epoch(max(t) OVER (PARTITION BY card ORDER BY t "
            "RANGE BETWEEN INTERVAL 30 DAYS PRECEDING AND CURRENT ROW EXCLUDE GROUP))",
        )


def _select(session: Session, file: SqlFile) -> Node:
    """The one SELECT of a file, without anything that leaves out rows or orders them."""
    select = as_node(as_node(as_nodes(session.tree(file)["statements"])[0])["node"])
    there = [name.partition("_")[0].upper() for name in _CLAUSES if select.get(name)]
    if select["type"] != "SELECT_NODE" or as_nodes(as_node(select["cte_map"])["map"]) or there:
        raise _refused(
            file.path,
            f"an online table is one SELECT from one source, without {examples(there or ['WITH', 'UNION'])}",
            "count only some events with FILTER (WHERE column); leave out rows in the spine",
        )
    return select


def _source(session: Session, file: SqlFile, select: Node) -> tuple[str, Schema]:
    table = as_node(select["from_table"])
    name = str(table.get("table_name", ""))
    schema = session.columns(name) if table.get("type") == "BASE_TABLE" else None
    if schema is None:
        raise _refused(file.path, "an online table reads one source, as it is", "write FROM and the name of the source")
    return name, schema


def _check_times(session: Session, file: SqlFile, reading: _Reading) -> None:
    time, source = quoted(reading.time), quoted(reading.name)
    if reading.source.column(reading.time).type is not ColumnType.TIMESTAMP:
        kind = reading.source.column(reading.time).type
        raise InvalidInput(
            "column_type",
            f"{reading.time!r}, by which the windows are ordered, is {kind}",
            where=file.path,
            hint="make it a timestamp in the contract of the source",
        )
    missing = session.count(f"SELECT count(*) FROM {source} WHERE {time} IS NULL")
    if missing:
        raise InvalidInput(
            "event_time_null",
            f"{reading.time!r} is null in {missing:,} rows; those have no place in time",
            where=file.path,
            hint=f"say in the contract of {reading.name} that it is not nullable",
        )


def _interval(node: Node) -> str | None:
    """An interval that is written out, as SQL."""
    if node.get("class") == "CAST" and type_of(node["cast_type"]) == "INTERVAL":
        value = as_node(as_node(node["child"]).get("value") or {}).get("value")
        return None if value is None else f"INTERVAL '{str(value).replace(chr(39), '')}'"
    name = str(node.get("function_name", ""))
    if not name.startswith("to_"):
        return None
    inner: Node = node
    while inner.get("class") in ("FUNCTION", "CAST"):
        inner = as_node(inner["child"]) if "child" in inner else as_nodes(inner["children"])[0]
    value = as_node(inner.get("value") or {}).get("value")
    return f"{name}({value})" if isinstance(value, int) else None


def _refused(where: str, what: str, hint: str) -> Refused:
    return Refused("window_not_online", what, where=where, hint=hint)
