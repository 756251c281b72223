"""The staged rows under the contract: one SQL pass that types every value and gives every bad row its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.contract import Contract
from drivetrain.core.errors import DrivetrainError, Refused, examples
from drivetrain.core.schema import Schema
from drivetrain.ingest.rules import RAW, Rule, Unique, compile_rules, shown, uniques
from drivetrain.ingest.staging import HIDDEN, Origin, Staging
from drivetrain.store.casting import literal, quoted, typed

STORED = "stored_rows"
"""The name under which SQL finds the rows that stand in the table."""
_ROWS = 65_536
_SEPARATOR = "chr(31)"
_ORDER = "ORDER BY drivetrain_origin, drivetrain_load, drivetrain_portion, drivetrain_row"


@dataclass(frozen=True)
class Count:
    """Rows of one origin: all of them, and the bad ones."""

    rows: int
    bad: int


class Judged:
    """The staged rows, judged. ``good`` and ``bad`` stream them in order."""

    def __init__(self, staging: Staging, schema: Schema) -> None:
        self.sql, self.schema = staging.sql, schema

    def count(self, origin: Origin) -> Count:
        """How many rows of that origin there are, and how many are bad."""
        row = self.sql.execute(
            "SELECT count(*) + (SELECT count(*) FROM broken WHERE drivetrain_origin = $1), "
            "count(nullif(drivetrain_reasons, '')) + (SELECT count(*) FROM broken WHERE drivetrain_origin = $1) "
            "FROM judged WHERE drivetrain_origin = $1",
            [str(origin)],
        ).fetchone()
        assert row is not None
        return Count(*row)

    def reasons(self, origin: Origin) -> tuple[str, ...]:
        """One example for each thing that was wrong, most frequent first, with how often it was."""
        chosen = literal(origin)
        rows = self.sql.execute(
            f"SELECT first(reason ORDER BY reason), count(*) AS times FROM (SELECT unnest(string_split("
            f"drivetrain_reasons, {_SEPARATOR})) AS reason FROM judged WHERE drivetrain_origin = {chosen} AND "
            f"drivetrain_reasons <> '' UNION ALL SELECT reason FROM broken WHERE drivetrain_origin = {chosen}) "
            "GROUP BY regexp_replace(reason, '''.*''|[0-9]+', '', 'g') ORDER BY times DESC, 1"
        ).fetchall()
        return tuple(f"{reason} ({times:,} x)" for reason, times in rows)

    def good(self, origins: Sequence[Origin]) -> pa.RecordBatchReader:
        """The good rows of these origins, typed, in order."""
        columns = ", ".join(quoted(column.name) for column in self.schema.columns)
        chosen = ", ".join(literal(origin) for origin in origins)
        return self.sql.sql(
            f"SELECT {columns} FROM judged WHERE drivetrain_reasons = '' AND drivetrain_origin IN ({chosen}) {_ORDER}"
        ).to_arrow_reader(_ROWS)

    def bad(self, load: str) -> pa.RecordBatchReader:
        """The bad rows in order, as in ``quarantine.SCHEMA``; ``load`` is for rows that are bad first now."""
        hidden = ", ".join(HIDDEN)
        return self.sql.sql(
            f"SELECT coalesce(drivetrain_load, {literal(load)}) AS load, drivetrain_portion AS portion, "
            f"drivetrain_row AS row, raw, string_split(reasons, {_SEPARATOR}) AS reasons FROM ("
            f"SELECT {hidden}, {RAW} AS raw, drivetrain_reasons AS reasons FROM judged WHERE drivetrain_reasons <> '' "
            f"UNION ALL SELECT {hidden}, raw, reason FROM broken) {_ORDER}"
        ).to_arrow_reader(_ROWS)


def judge(staging: Staging, contract: Contract, schema: Schema, stored: ds.Dataset | None, where: str) -> Judged:
    """Judge the staged rows as rows of ``schema``; ``stored`` are the rows that unique columns must not repeat.

    Raises Refused when a rule cannot be evaluated: a check that did not run is a failure.
    """
    rules = compile_rules(contract, schema, where)
    unique = uniques(contract)
    sql = staging.sql
    if stored is not None:
        sql.register(STORED, stored)
    sql.execute(f"CREATE VIEW typed AS {_typed(schema, staging)}")
    for check in contract.checks:
        _require_condition(sql, check.name, check.sql, schema, where)
    try:
        sql.execute(f"CREATE TABLE judged AS {_pass(schema, rules, unique, stored is not None)}")
    except duckdb.Error as error:
        raise _culprit(sql, rules, error, where) from None
    return Judged(staging, schema)


def _typed(schema: Schema, staging: Staging) -> str:
    """Every column typed, and the struct of raw texts; a column that no staged row has is missing in all."""
    texts = {
        column.name: quoted(column.name) if column.name in staging.columns else "CAST(NULL AS VARCHAR)"
        for column in schema.columns
    }
    raw = ", ".join(f"{quoted(name)} := {value}" for name, value in texts.items())
    values = ", ".join(
        f"{typed(texts[column.name], column.type)} AS {quoted(column.name)}" for column in schema.columns
    )
    return f"SELECT {', '.join(HIDDEN)}, struct_pack({raw}) AS {RAW}, {values} FROM staged"


def _pass(schema: Schema, rules: Sequence[Rule], unique: Sequence[Unique], stored: bool) -> str:
    reasons = ", ".join(f"CASE WHEN {rule.broken} THEN {rule.reason} END" for rule in rules)
    ruled = f"SELECT *, concat_ws({_SEPARATOR}, {reasons}) AS drivetrain_reasons FROM typed"
    if unique:
        twice = ", ".join(_twice(one, stored) for one in unique)
        ruled = (
            f"SELECT * REPLACE (concat_ws({_SEPARATOR}, nullif(drivetrain_reasons, ''), {twice}) AS drivetrain_reasons)"
            f" FROM ({ruled}) AS ruled"
        )
    columns = ", ".join(quoted(column.name) for column in schema.columns)
    raw = f"CASE WHEN drivetrain_reasons <> '' THEN CAST(to_json({RAW}) AS VARCHAR) END AS {RAW}"
    return f"SELECT {', '.join(HIDDEN)}, {columns}, drivetrain_reasons, {raw} FROM ({ruled})"


def _twice(unique: Unique, stored: bool) -> str:
    """A good row that repeats an earlier good row, or a stored one. Bad rows take no name away from good ones."""
    names = [quoted(column) for column in unique.columns]
    whole = " AND ".join(f"{name} IS NOT NULL" for name in names)
    earlier = f"row_number() OVER (PARTITION BY drivetrain_reasons = '', {', '.join(names)} {_ORDER}) > 1"
    if stored:
        same = " AND ".join(f"stored.{name} = ruled.{name}" for name in names)
        earlier = f"({earlier} OR EXISTS (SELECT 1 FROM {STORED} AS stored WHERE {same}))"
    reason = f"{literal(f'{unique.label}: ')} || {shown(unique.columns)} || ' stands in an earlier row'"
    return f"CASE WHEN drivetrain_reasons = '' AND {whole} AND {earlier} THEN {reason} END"


def _require_condition(sql: duckdb.DuckDBPyConnection, name: str, check: str, schema: Schema, where: str) -> None:
    columns = ", ".join(quoted(column.name) for column in schema.columns)
    try:
        kind = str(sql.sql(f"SELECT {columns}, ({check}\n) AS answer FROM typed").types[-1])
    except duckdb.Error as error:
        raise _not_evaluable(f"check {name}", error, f"columns: {examples(schema.names, 20)}", where) from None
    if kind != "BOOLEAN":
        raise Refused(
            "check_not_evaluable",
            f"check {name} gives {kind}, not true or false",
            where=where,
            hint="write a condition, such as `age >= 18`",
        )


def _culprit(sql: duckdb.DuckDBPyConnection, rules: Sequence[Rule], error: duckdb.Error, where: str) -> DrivetrainError:
    """The error of the rule that fails by itself when the whole pass failed."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return Refused(
            "load_too_big",
            "the load does not fit into the memory that a load may take",
            where=where,
            hint="load fewer files at a time: narrow `path`, ingest, widen it again",
        )
    for rule in rules:
        try:
            sql.execute(f"SELECT count(CASE WHEN {rule.broken} THEN {rule.reason} END) FROM typed")
        except duckdb.Error as own:
            return _not_evaluable(rule.label, own, "correct the rule in the contract", where)
    return _not_evaluable("the contract", error, "split its checks to find which", where)


def _not_evaluable(label: str, error: duckdb.Error, hint: str, where: str) -> Refused:
    said = str(error).splitlines()[0]
    return Refused("check_not_evaluable", f"{label} cannot be evaluated: {said}", where=where, hint=hint)
