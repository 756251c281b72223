"""A contract as SQL: one rule for each thing it asks of a row."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from drivetrain.core.contract import ColumnRule, Contract
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, Refused, examples
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.store.casting import MEANING, SQL_TYPE, literal, quoted

RAW = "drivetrain_raw"
"""The struct with the text of every column, beside the typed columns."""
_NUMERIC = (ColumnType.INTEGER, ColumnType.NUMBER)
_SHOWN = 60  # characters of a bad value in a reason


@dataclass(frozen=True)
class Rule:
    """``broken`` is an SQL condition over typed columns and ``RAW``, true for a bad row; ``reason`` an SQL text.

    ``screen`` is true for every bad row whose values are all of their types, perhaps for others too. It reads ``RAW``
    only of text columns and of those with a pattern. Empty: the types say it already.
    """

    label: str
    broken: str
    reason: str
    screen: str


@dataclass(frozen=True)
class Unique:
    """Columns that no two rows share; rows where one of them is missing do not count."""

    label: str
    columns: tuple[str, ...]


def row_digest(contract: Contract) -> str:
    """The digest of everything in a contract that judges single rows, by which stored rows were admitted."""
    columns = {name: rule.model_dump(exclude={"description"}) for name, rule in contract.columns.items()}
    checks = [check.model_dump() for check in contract.checks]
    return digest_of(columns, contract.key, checks)


def is_nullable(contract: Contract, column: str) -> bool:
    """Whether a value may be missing: what the rule says; never in a key."""
    rule = contract.columns.get(column)
    return column not in contract.key and (rule is None or rule.nullable)


def named_columns(contract: Contract) -> dict[str, None]:
    """The columns that a contract speaks of, in order; those in the SQL of its checks are not looked for."""
    freshness = (contract.freshness.column,) if contract.freshness else ()
    return dict.fromkeys((*contract.columns, *contract.key, *freshness))


def check_columns(contract: Contract, columns: tuple[str, ...], where: str) -> None:
    """Raise Refused when the contract speaks of a column that the source does not have."""
    missing = [name for name in named_columns(contract) if name not in columns]
    if missing:
        near = difflib.get_close_matches(missing[0], columns, n=1, cutoff=0.5)
        guess = f"did you mean {near[0]!r}? " if near else ""
        raise Refused(
            "contract_column_missing",
            f"the contract names {examples(missing)}, which the source does not have",
            where=where,
            hint=f"{guess}the source has {examples(columns, 20)}; correct the contract or the source",
        )


def compile_rules(contract: Contract, schema: Schema, where: str) -> tuple[Rule, ...]:
    """The rules for rows of that schema; every column has at least the rule of its type.

    Raises InvalidInput when a rule does not fit the type of its column.
    """
    rules: list[Rule] = []
    for column in schema.columns:
        ruled = contract.columns.get(column.name)
        rules.append(_type_rule(column, ruled.format if ruled else None))
        if not is_nullable(contract, column.name):
            raw = _raw(column.name)
            said = literal(f"{column.name}: is missing")
            rules.append(Rule(f"column {column.name}", f"{raw} IS NULL", said, f"{quoted(column.name)} IS NULL"))
        if column.name in contract.columns:
            rules += _column_rules(column, contract.columns[column.name], where)
    for check in contract.checks:
        shown = literal(f"check {check.name}: ")
        said = f"CASE WHEN ({check.sql}\n) IS NULL THEN 'has no answer, a value is missing' ELSE 'is not true' END"
        broken = f"({check.sql}\n) IS NOT TRUE"
        rules.append(Rule(f"check {check.name}", broken, f"{shown} || {said}", broken))
    return tuple(rules)


def uniques(contract: Contract) -> tuple[Unique, ...]:
    """What must be unique: single columns, and the key."""
    single = [Unique(name, (name,)) for name, rule in contract.columns.items() if rule.unique]
    key = [Unique(f"key ({', '.join(contract.key)})", contract.key)] if contract.key else []
    return (*single, *key)


def shown(columns: tuple[str, ...]) -> str:
    """SQL for the raw values of columns as a person reads them in a reason, shortened."""
    return " || ', ' || ".join(f"'''' || left({_raw(column)}, {_SHOWN}) || ''''" for column in columns)


def _column_rules(column: Column, rule: ColumnRule, where: str) -> Iterator[Rule]:
    value, raw = quoted(column.name), _raw(column.name)
    if (rule.min is not None or rule.max is not None) and column.type not in _NUMERIC:
        raise InvalidInput(
            "contract_invalid",
            f"`min` and `max` need numbers; the column is {column.type}",
            where=f"{where}, column {column.name}",
            hint="declare it as integer or number, or write a custom check",
        )
    if rule.min is not None:
        yield _rule(column, f"{value} < {_bound(rule.min, column)}", f"is below {rule.min:.15g}")
    if rule.max is not None:
        yield _rule(column, f"{value} > {_bound(rule.max, column)}", f"is above {rule.max:.15g}")
    if rule.one_of is not None:
        allowed = ", ".join(f"CAST({literal(choice)} AS {SQL_TYPE[column.type]})" for choice in rule.one_of)
        broken = f"{value} NOT IN ({allowed})" if allowed else f"{value} IS NOT NULL"
        yield _rule(column, broken, f"is not one of {examples(rule.one_of)}")
    if rule.pattern is not None:
        broken = f"NOT regexp_full_match({raw}, {literal(rule.pattern)})"
        yield _rule(column, broken, f"does not match {rule.pattern}")


def _bound(value: float, column: Column) -> str:
    """Of an integer column, if it can be, an integer: whole columns are compared without a cast."""
    return str(int(value)) if column.type is ColumnType.INTEGER and value.is_integer() else repr(value)


def _rule(column: Column, broken: str, what: str) -> Rule:
    return Rule(f"column {column.name}", broken, _reason(column, what), broken)


def _type_rule(column: Column, form: str | None) -> Rule:
    meaning = MEANING[column.type] if form is None else f"{MEANING[column.type].split(' (')[0]} written like {form}"
    broken = f"{_raw(column.name)} IS NOT NULL AND {quoted(column.name)} IS NULL"
    return Rule(f"column {column.name}", broken, _reason(column, f"is not {meaning}"), "")


def _reason(column: Column, what: str) -> str:
    return f"{literal(f'{column.name}: ')} || {shown((column.name,))} || {literal(f' {what}')}"


def _raw(column: str) -> str:
    return f"{RAW}.{quoted(column)}"
