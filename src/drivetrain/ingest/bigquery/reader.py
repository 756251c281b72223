"""The kind ``bigquery``: what is new of a table or a query, by one job, whose result is of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING

import pyarrow as pa

from drivetrain.connect.place import Place
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import InvalidInput, MissingExtra, NotFound, Refused, examples
from drivetrain.core.schema import MomentFormat
from drivetrain.core.sources.warehouses import BigQuerySource
from drivetrain.ingest.bigquery.jobs import Estimate, Jobs, TableName, parts_of
from drivetrain.ingest.bigquery.rows import kind_of, table_of
from drivetrain.ingest.moments import bound_of, time_of
from drivetrain.ingest.python_items import piece_of_table
from drivetrain.ingest.reading import Batch, Portion, Position
from drivetrain.ingest.row_batches import MOST_ROWS, Piece, Portioned, new_batches
from drivetrain.ingest.seen_rows import Growth, Newest, Seen, Since, Whole

if TYPE_CHECKING:
    from drivetrain.ingest.bigquery.arrow import ArrowRows

_GB = 10**9
_PRICE = 6.25 / 2**40  # dollars a byte: Google's list price on demand in the US, November 2026
_NUMBERS = ("INT64", "NUMERIC", "BIGNUMERIC", "FLOAT64")
_TIMES = ("DATE", "DATETIME", "TIMESTAMP")


class BigQueryReader:
    """A Reader of a table or a query. It writes nothing; results stand for a day in a table that BigQuery hides."""

    def __init__(self, spec: BigQuerySource, place: Place) -> None:
        self._spec, self._jobs = spec, Jobs(spec, place)
        self._name = spec.table or "query"

    def discover(self) -> tuple[Portion, ...]:
        """The table with its rows, or the query, and what reading all of it costs. Runs nothing.

        Raises NotFound, Forbidden, InvalidInput or Transient.
        """
        estimate = self._jobs.estimate(self._sql(""))
        rows = self._jobs.count(self._spec.table) if self._spec.table else 0
        return (Portion(self._name, rows, _cost(estimate.size)),)

    def read(self, cursor: str) -> Iterator[Batch | Position]:
        """The rows that are new after the cursor.

        Raises what ``discover`` raises, and Refused when it would read more than `max_gb`.
        """
        spec = self._spec
        form, kind = self._growth()
        seen: Seen
        condition = ""
        if form is None:
            seen = Whole(cursor, self._name)
        else:
            growth = Growth(spec.cursor or "", form, spec.look_back or 0)
            seen = Since(growth, cursor, self._name, keyed=spec.way == "incremental")
            condition = self._condition(read_json(cursor, Newest) if cursor else None, kind)
        sql = self._sql(condition)
        self._check_cost(self._jobs.estimate(sql))
        of = Portioned(self._name, spec.contract.key, spec.deleted)
        yield from new_batches(self._pieces(sql, condition), seen, of)

    def commit(self, cursor: str) -> None:
        """The table keeps its rows."""

    def _growth(self) -> tuple[MomentFormat | None, str]:
        """How the cursor grows, and its type; None where there is no cursor."""
        spec = self._spec
        if spec.cursor is None:
            return None, ""
        fields = {field.name: kind_of(field) for field in self._jobs.estimate(self._sql("")).schema.fields}
        kind = fields.get(spec.cursor)
        if kind is None:
            known = f"there are: {examples(fields, 20)}"
            message = f"there is no column {spec.cursor!r}"
            raise NotFound("bigquery_unknown", message, where=self._jobs.where, hint=known)
        if kind not in (*_NUMBERS, *_TIMES) or (spec.look_back and kind in _NUMBERS):
            back = " with a `look_back`" if spec.look_back else ""
            hint = "choose a column of dates or timestamps, or of numbers without a `look_back`"
            message = f"the column {spec.cursor!r} of type {kind} cannot be a cursor{back}"
            raise InvalidInput("bigquery_invalid", message, where=self._jobs.where, hint=hint)
        return ("number" if kind in _NUMBERS else "iso"), kind

    def _sql(self, condition: str) -> str:
        """One SELECT. Rows that change rows come in their order; those that are compared in the order of their key."""
        spec = self._spec
        columns = ", ".join(f"`{name}`" for name in spec.columns) or "*"
        source = f"`{spec.table}`" if spec.table else f"(\n{(spec.query or '').strip().rstrip(';')}\n)"
        if spec.as_of is not None:
            source += f" FOR SYSTEM_TIME AS OF TIMESTAMP '{spec.as_of.astimezone(UTC).isoformat(' ')}'"
        sql = f"SELECT {columns} FROM {source}"
        order = {"append": (), "incremental": (spec.cursor or "",), "whole": spec.contract.key}[spec.way]
        by = ", ".join(_quoted(name) for name in order)
        return sql + (f" WHERE {condition}" if condition else "") + (f" ORDER BY {by}" if by else "")

    def _condition(self, newest: Newest | None, kind: str) -> str:
        """Rows without a value of the cursor come too, so that they are told and not lost."""
        if newest is None:
            return ""
        column, low = f"`{self._spec.cursor}`", _literal(newest, kind, self._spec.look_back or 0)
        return f"({column} >= {low} OR {column} IS NULL)"

    def _check_cost(self, estimate: Estimate) -> None:
        if estimate.size > self._spec.max_gb * _GB:
            raise Refused(
                "bigquery_too_dear",
                f"it {_cost(estimate.size)}; at most {self._spec.max_gb:g} GB are allowed; nothing was run",
                where=self._jobs.where,
                hint="raise `max_gb`, name fewer `columns`, or read one partition by a `query`",
            )

    def _pieces(self, sql: str, condition: str) -> Iterator[Piece]:
        for table in self._tables(sql, condition):
            for start in range(0, table.num_rows, MOST_ROWS):
                yield piece_of_table(table.slice(start, MOST_ROWS), self._spec.depth, self._jobs.where)

    def _tables(self, sql: str, condition: str) -> Iterator[pa.Table]:
        """By Arrow where that is allowed: of a table to which rows are added straight, else of a job's result."""
        spec, result = self._spec, None
        arrow = self._arrow() if spec.read_by != "rest" else None
        if arrow is not None:
            from drivetrain.ingest.bigquery.arrow import NotAllowed, Wanted

            try:
                if spec.table is not None and spec.way == "append":
                    project, dataset, name = parts_of(spec.table)
                    table = TableName(project or spec.project, dataset, name)
                    yield from arrow.read(Wanted(table, condition, spec.columns, spec.as_of))
                    return
                result = self._jobs.run(sql)
                if result.table is not None:
                    yield from arrow.read(Wanted(result.table))
                    return
            except NotAllowed as error:
                if spec.read_by == "arrow":
                    hint = "give the role BigQuery Read Session User in `project`, or use `read_by: rest`"
                    said = f"the Storage Read API does not give it: {error}"
                    raise Refused("bigquery_unreadable", said, where=self._jobs.where, hint=hint) from None
        for schema, page in self._jobs.rows(result or self._jobs.run(sql)):
            yield table_of(schema, page)

    def _arrow(self) -> ArrowRows | None:
        try:
            from drivetrain.ingest.bigquery.arrow import ArrowRows
        except ImportError:
            if self._spec.read_by == "arrow":
                raise MissingExtra("google-cloud-bigquery-storage", "bigquery") from None
            return None
        return ArrowRows(self._spec, self._jobs.login, self._jobs.where)


def _cost(size: int) -> str:
    return f"reads {size / _GB:,.3f} GB, about ${size * _PRICE:,.2f} on demand"


def _literal(newest: Newest, kind: str, look_back: int) -> str:
    """From where on rows are asked for, in GoogleSQL."""
    if kind in _NUMBERS:
        return f"CAST('{newest.value}' AS {kind})"
    moment = time_of(bound_of(newest.moment, "iso", look_back))
    if kind == "DATE":
        return f"DATE '{moment.date().isoformat()}'"
    if kind == "DATETIME":
        return f"DATETIME '{moment.replace(tzinfo=None).isoformat(' ')}'"
    return f"TIMESTAMP '{moment.isoformat(' ')}'"


def _quoted(name: str) -> str:
    return ".".join(f"`{part}`" for part in name.split("."))
