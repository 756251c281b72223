"""Conditions in SQL over the columns of a case, as DuckDB reads and judges them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.decoding import read_json
from drivetrain.core.schema import ColumnType
from drivetrain.store.casting import SQL_TYPE, quoted

_TYPES = {**SQL_TYPE, ColumnType.INTEGER: "DOUBLE"}
"""An integer is a number like others: that is how a packed row holds it."""
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "enable_external_access": False,
    "python_enable_replacements": False,
    "ieee_floating_point_ops": False,  # division by zero is null
}


Node = Mapping[str, object]


@dataclass(frozen=True)
class _Select:
    select_list: tuple[Node, ...] = ()


@dataclass(frozen=True)
class _Statement:
    node: _Select


@dataclass(frozen=True)
class _Parsed:
    """What DuckDB's parser says of a text."""

    error: bool
    error_message: str = ""
    statements: tuple[_Statement, ...] = ()


class Conditions:
    """The columns of cases, with ``rows`` of them where they are to be judged."""

    def __init__(self, columns: Mapping[str, ColumnType], rows: pa.Table | None = None) -> None:
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        self._connection.execute("SET TimeZone = 'UTC'")
        typed = ", ".join(f"{quoted(name)} {_TYPES[kind]}" for name, kind in columns.items())
        self._connection.execute(f"CREATE TABLE cases ({typed})")
        if rows is not None:
            self._connection.register("given", rows)
            self._connection.execute("INSERT INTO cases BY NAME SELECT * FROM given")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def tree(self, when: str) -> Node:
        """The tree of one condition. Raises ValueError with what is wrong, RecursionError when too deep."""
        (answer,) = self._connection.execute("SELECT json_serialize_sql(?)", [_select(when)]).fetchone() or ("",)
        parsed = read_json(answer, _Parsed)
        if parsed.error:
            raise ValueError(parsed.error_message)
        listed = [node for statement in parsed.statements for node in statement.node.select_list]
        if len(listed) != 1:
            raise ValueError("this is not one condition")
        return listed[0]

    def check(self, when: str) -> None:
        """Raise ValueError when a condition is not true or false of a case."""
        try:
            (kind,) = self._connection.sql(_select(when)).types
        except duckdb.Error as error:
            raise ValueError(str(error).partition("\n")[0]) from None
        if kind.id != "boolean":
            raise ValueError(f"the condition gives {kind}, not true or false")

    def first(self, whens: Sequence[str]) -> NDArray[np.int64]:
        """Of each row [n] the first condition that is true, counted from 1; 0 where none is."""
        cases = " ".join(f"WHEN (\n{when}\n) THEN {place}" for place, when in enumerate(whens, 1))
        found = self._connection.execute(f"SELECT CASE {cases} ELSE 0 END AS first FROM cases").to_arrow_table()
        return np.asarray(found["first"].to_numpy(), dtype=np.int64)


def _select(when: str) -> str:
    return f"SELECT (\n{when}\n) FROM cases"
