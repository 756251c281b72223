"""Rows under the contract. All rows are screened in the types of the table; those that catch the eye are judged.

Judging types every value of a row from its text by one SQL pass, and gives a bad row its reasons. Screening finds
every row that judging might call bad, and works on whole columns: nearly all rows need no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.core.contract import Contract
from drivetrain.core.errors import DrivetrainError, Refused, examples
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.ingest.columns import Columns, look
from drivetrain.ingest.rules import RAW, Rule, compile_rules
from drivetrain.ingest.values import Values, cast_values
from drivetrain.store.casting import quoted, typed
from drivetrain.store.files.parquet import as_text
from drivetrain.store.tables import arrow_type

SEPARATOR = "chr(31)"
_POSITION = "drivetrain_position"
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Bad:
    """The bad rows of a batch: their positions, their raw values as JSON, and their reasons, parted by chr(31)."""

    positions: Positions
    raw: pa.Array
    reasons: pa.Array


@dataclass(frozen=True)
class Verdict:
    """The good rows of a batch in the types of the table, in order, their positions in it (None: all) and the bad.

    ``typed`` are all rows in these types; what is not of its type is missing.
    """

    good: pa.Table
    positions: Positions | None
    bad: Bad | None
    typed: pa.Table


class Judge:
    """A contract, applied to rows of one schema. Raises Refused when a rule of it cannot be evaluated."""

    def __init__(self, contract: Contract, schema: Schema, sql: duckdb.DuckDBPyConnection, where: str) -> None:
        self.schema, self._sql, self._where = schema, sql, where
        self._rules = compile_rules(contract, schema, where)
        # Of columns that are not text a pattern sees what the source wrote.
        kinds = {column.name: column.type for column in schema.columns}
        self._patterned = tuple(
            name
            for name, rule in contract.columns.items()
            if rule.pattern is not None and kinds[name] is not ColumnType.TEXT
        )
        self._forms = {name: rule.format for name, rule in contract.columns.items()}
        for check in contract.checks:
            self._require_condition(check.name, check.sql)

    def judge(self, rows: pa.Table, learn: Columns | None = None) -> Verdict:
        """Part good rows from bad. ``learn`` is told how many values were not of the type they should be.

        A column of the schema that the rows do not have is missing in all of them.
        """
        raw = {name: rows.column(name).combine_chunks() for name in rows.column_names if name in self.schema.names}
        values = {column.name: self._cast(raw, column, rows.num_rows) for column in self.schema.columns}
        good = pa.table({name: value.values for name, value in values.items()})
        suspects = self._screen(good, values, raw)
        if learn is not None:
            self._teach(learn, raw, values)
        bad = self._explain(raw, suspects) if len(suspects) else None
        if bad is None or not len(bad.positions):
            return Verdict(good, None, None, good)
        keep = np.ones(rows.num_rows, dtype=bool)
        keep[bad.positions] = False
        return Verdict(good.filter(pa.array(keep)), np.flatnonzero(keep), bad, good)

    def _cast(self, raw: Mapping[str, pa.Array], column: Column, rows: int) -> Values:
        if column.name not in raw:
            return Values(pa.nulls(rows, arrow_type(column.type)))
        return cast_values(raw[column.name], column.type, self._sql, self._forms.get(column.name))

    def _screen(self, good: pa.Table, values: Mapping[str, Values], raw: Mapping[str, pa.Array]) -> Positions:
        """The positions of all rows that may be bad."""
        wrong = [value.bad for value in values.values() if value.bad is not None]
        mistyped = np.flatnonzero(np.logical_or.reduce(wrong)) if wrong else np.empty(0, np.int64)
        conditions = [rule.screen for rule in self._rules if rule.screen]
        if not conditions:
            return mistyped
        half = good.num_rows // 2  # DuckDB gives each chunk to a thread
        seen = pa.concat_tables([good.slice(0, half), good.slice(half)])
        seen = seen.append_column(_POSITION, pa.array(np.arange(good.num_rows)))
        for number, name in enumerate(self._patterned):
            text = as_text(raw[name]) if name in raw else pa.nulls(good.num_rows, pa.string())
            seen = seen.append_column(f"drivetrain_text_{number}", text)
        texts = [f"{quoted(name)} := drivetrain_text_{number}" for number, name in enumerate(self._patterned)]
        texts += [f"{quoted(c.name)} := {quoted(c.name)}" for c in self.schema.columns if c.type is ColumnType.TEXT]
        relation = f"(SELECT *, struct_pack({', '.join(texts)}) AS {RAW} FROM screened)" if texts else "screened"
        self._sql.register("screened", seen)
        try:
            query = f"SELECT {_POSITION} FROM {relation} WHERE {' OR '.join(conditions)}"
            found = self._sql.execute(query).fetchnumpy()  # a relation would be planned twice
        except duckdb.Error as error:
            raise self._culprit(relation, [(rule, rule.screen) for rule in self._rules if rule.screen], error) from None
        finally:
            self._sql.unregister("screened")
        return np.union1d(mistyped, found[_POSITION])

    def _explain(self, raw_columns: Mapping[str, pa.Array], suspects: Positions) -> Bad:
        """Judge the suspects by their texts."""
        texts = {name: as_text(column.take(pa.array(suspects))) for name, column in raw_columns.items()}
        self._sql.register("suspects", pa.table({_POSITION: pa.array(suspects), **texts}))
        columns = {
            column.name: quoted(column.name) if column.name in texts else "CAST(NULL AS VARCHAR)"
            for column in self.schema.columns
        }
        raw = ", ".join(f"{quoted(name)} := {value}" for name, value in columns.items())
        cast = ", ".join(
            f"{typed(columns[c.name], c.type, self._forms.get(c.name))} AS {quoted(c.name)}"
            for c in self.schema.columns
        )
        relation = f"(SELECT {_POSITION}, struct_pack({raw}) AS {RAW}, {cast} FROM suspects)"
        reasons = ", ".join(f"CASE WHEN {rule.broken} THEN {rule.reason} END" for rule in self._rules)
        query = (
            f"SELECT {_POSITION}, CAST(to_json({RAW}) AS VARCHAR) AS raw, reasons FROM "
            f"(SELECT {_POSITION}, {RAW}, concat_ws({SEPARATOR}, {reasons}) AS reasons FROM {relation}) "
            f"WHERE reasons <> '' ORDER BY {_POSITION}"
        )
        try:
            found = self._sql.sql(query).to_arrow_table().combine_chunks()
        except duckdb.Error as error:
            pairs = [(rule, f"({rule.broken}) AND ({rule.reason}) <> ''") for rule in self._rules]
            raise self._culprit(relation, pairs, error) from None
        finally:
            self._sql.unregister("suspects")
        return Bad(np.asarray(found.column(0)), _whole(found.column(1)), _whole(found.column(2)))

    def _teach(self, learn: Columns, raw: Mapping[str, pa.Array], values: Mapping[str, Values]) -> None:
        for name, column in raw.items():
            wrong = values[name].bad
            count, looks = len(column) - column.null_count, None
            if wrong is not None:
                looks = look(as_text(column.filter(pa.array(wrong))), self._sql)
            learn.note(name, count, 0 if wrong is None else int(wrong.sum()), looks)

    def _require_condition(self, name: str, check: str) -> None:
        empty = pa.schema([(column.name, arrow_type(column.type)) for column in self.schema.columns]).empty_table()
        self._sql.register("typed", empty)
        try:
            kind = str(self._sql.sql(f"SELECT *, ({check}\n) AS answer FROM typed").types[-1])
        except duckdb.Error as error:
            hint = f"columns: {examples(self.schema.names, 20)}"
            raise self._not_evaluable(f"check {name}", error, hint) from None
        finally:
            self._sql.unregister("typed")
        if kind != "BOOLEAN":
            raise Refused(
                "check_not_evaluable",
                f"check {name} gives {kind}, not true or false",
                where=self._where,
                hint="write a condition, such as `age >= 18`",
            )

    def _culprit(self, relation: str, pairs: Sequence[tuple[Rule, str]], error: duckdb.Error) -> DrivetrainError:
        """The error of the rule that fails by itself when all together failed."""
        for rule, condition in pairs:
            try:
                self._sql.execute(f"SELECT count_if({condition}) FROM {relation}")
            except duckdb.Error as own:
                return self._not_evaluable(rule.label, own, "correct the rule in the contract")
        return self._not_evaluable("the contract", error, "split its checks to find which")

    def _not_evaluable(self, label: str, error: duckdb.Error, hint: str) -> Refused:
        said = str(error).splitlines()[0]
        return Refused("check_not_evaluable", f"{label} cannot be evaluated: {said}", where=self._where, hint=hint)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pcompute.cast(column.combine_chunks(), pa.string())
