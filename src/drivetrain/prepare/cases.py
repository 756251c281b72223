"""The cases with their inputs, as the split and the leak checks see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import Split
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.core.task import Task
from drivetrain.core.windows import WindowPlan
from drivetrain.ops.leaks import Levels, levels
from drivetrain.ops.metrics import Truth
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.spine import CASE, CASES, GROUP, TIME_TYPES, Spine
from drivetrain.prepare.split import SplitRows
from drivetrain.prepare.tables import Joined
from drivetrain.store.cases import BLOCK
from drivetrain.store.labels import classes_of, truth_of

_MICROS = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class PreparedCases:
    """All cases in the order of entity and time.

    ``table`` holds entity, time if there is one, label, what is kept, GROUP and BLOCK if the split names such columns,
    and the inputs; ``files`` says which SQL file an input comes from, ``windows`` what of them is kept online.
    """

    spine: Spine
    table: pa.Table
    inputs: Schema
    files: Mapping[str, str]
    windows: WindowPlan | None = None

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which cases are learned from or judged by, [n]: those that have a label, or all where learning is blind."""
        if self.spine.spec.blind:
            return np.ones(len(self.table), dtype=np.bool_)
        return np.asarray(self.table.column(self.spine.label).is_valid().to_numpy(), dtype=np.bool_)

    def closed(self) -> PreparedCases:
        """The cases that have a label, in the same order."""
        return self if self.known.all() else replace(self, table=self.table.filter(pa.array(self.known)))

    @cached_property
    def blocks(self) -> NDArray[np.int64] | None:
        """For each case the block that stays together in folds, in sorted order, [n]; None without blocks."""
        split = self.spine.spec.split
        if self.spine.block:
            return self.codes(BLOCK)
        if split.by == "group" or (split.by == "time" and self.spine.group):
            return self.codes(GROUP)
        return self.codes(self.spine.time.name) if split.by == "time" and self.spine.time else None

    @property
    def by_time(self) -> bool:
        """Whether blocks are moments, in their order."""
        split = self.spine.spec.split
        return split.by == "time" and self.spine.block is None

    @cached_property
    def label(self) -> Truth:
        """The label [n]: bool, the index of a class among all classes, or float64."""
        column = self.table.column(self.spine.label)
        classes = classes_of(column) if self.spine.task is Task.CLASSES else ()
        return truth_of(self.spine.task, classes, column)

    def split_rows(self, spec: Split) -> SplitRows:
        """What the split looks at. Raises InvalidInput when a split by time has no time, a given one no yes or no."""
        if spec.by == "group":
            return SplitRows(self.label, self.spine.task, group=self.codes(GROUP))
        if spec.by == "given":
            return SplitRows(self.label, self.spine.task, held=self._held())
        if spec.by != "time":
            return SplitRows(self.label, self.spine.task)
        column = self.spine.group or self.spine.time
        if column is None or column.type not in TIME_TYPES:
            raise InvalidInput(
                "time_undeclared",
                f"a split by time needs a date or timestamp, not {column or 'nothing'}",
                where="features.split",
                hint="select it in the spine and name it under `features.time` or `features.split.column`",
            )
        return SplitRows(
            self.label, self.spine.task, time=self.micros(GROUP if self.spine.group else column.name).astype(np.int64)
        )

    def _held(self) -> NDArray[np.bool_]:
        column = self.spine.group
        if column is None or column.type is not ColumnType.BOOLEAN:
            raise InvalidInput(
                "column_type",
                f"a given split needs a column that is true or false, not {column or 'nothing'}",
                where="features.split",
                hint="say what is held back, for example `fleet = 'test' AS held`, and name it under `column`",
            )
        return np.asarray(self.table.column(GROUP).to_numpy(), dtype=np.bool_)

    def micros(self, name: str) -> NDArray[np.float64]:
        """A date or timestamp column as microseconds since 1970 in UTC, float64 [n]; NaN where missing."""
        return _floats(self.table.column(name).cast(_MICROS).cast(pa.int64()))

    def codes(self, name: str) -> NDArray[np.int64]:
        """The values of a column without nulls as their places in sorted order, int64 [n]."""
        values = self.table.column(name).to_numpy(zero_copy_only=False)
        return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)

    def levels(self, column: Column) -> Levels:
        """An input as the leak measures take it: text by its codes, times in microseconds."""
        values = self.table.column(column.name)
        if column.type is ColumnType.TEXT:
            return levels(_floats(values.combine_chunks().dictionary_encode().indices))
        if column.type in TIME_TYPES:
            return levels(self.micros(column.name))
        return levels(_floats(values))


def gather(session: Session, spine: Spine, joined: tuple[Joined, ...]) -> PreparedCases:
    """All cases with the inputs of all tables, null where a table has no row for a case.

    Raises InvalidInput for a name that two tables give, for numbers and times that are infinite, and for no table.
    """
    files: dict[str, str] = {}
    given: dict[str, str] = {}
    for table in joined:
        for column in table.inputs:
            if column.name.lower() in given:
                raise _given_twice(column.name, given[column.name.lower()], table.file.path)
            given[column.name.lower()] = files[column.name] = table.file.path
        _refuse_infinite(session, spine, table)
    if not files:
        raise InvalidInput(
            "tables_missing",
            "there is no feature table, so there is nothing to learn from",
            where="features.tables",
            hint="declare one: `tables: {name: {sql: features/name.sql}}`",
        )
    rows = session.table(_select(spine, joined))
    inputs = tuple(
        Column(column.name, column.type, nullable=_may_lack(rows.column(column.name)))
        for table in joined
        for column in table.inputs
    )
    windows = next((table.windows for table in joined if table.windows is not None), None)
    return PreparedCases(spine, rows, Schema(inputs), files, windows)


def _select(spine: Spine, joined: tuple[Joined, ...]) -> str:
    own = [f"c.{quoted(column.name)}" for column in (spine.entity, spine.time) if column]
    own += [f"c.{quoted(name)}" for name in (spine.label, *spine.keep)]
    parting = [f"c.{name}" for column, name in ((spine.group, GROUP), (spine.block, BLOCK)) if column]
    inputs = [f"{table.table}.{quoted(column.name)}" for table in joined for column in table.inputs]
    joins = " ".join(f"LEFT JOIN {table.table} ON {table.table}.{CASE} = c.{CASE}" for table in joined)
    columns = ", ".join([*own, *parting, *inputs])
    return f"SELECT {columns} FROM {CASES} c {joins} ORDER BY c.{CASE}"


def _may_lack(column: pa.ChunkedArray) -> bool:
    """Whether a value is missing anywhere; NaN, such as the slope through one point, is none either."""
    return column.null_count > 0 or (pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py()))


def _given_twice(name: str, first: str, second: str) -> InvalidInput:
    return InvalidInput(
        "column_twice",
        f"column {name!r} is given by {first} too",
        where=second,
        hint="rename one of them with AS, or leave it out",
    )


def _refuse_infinite(session: Session, spine: Spine, table: Joined) -> None:
    entity = f"c.{quoted(spine.entity.name)}"
    for column in table.inputs:
        if column.type not in (ColumnType.NUMBER, *TIME_TYPES):
            continue
        infinite = f"FROM {CASES} c JOIN {table.table} t USING ({CASE}) WHERE isinf(t.{quoted(column.name)})"
        count = session.count(f"SELECT count(*) {infinite}")
        if count:
            some = session.ask(f"SELECT {entity} {infinite} ORDER BY {CASE} LIMIT 5")
            raise InvalidInput(
                "value_infinite",
                f"column {column.name!r} is infinite in {count:,} rows, such as entity {examples(v for (v,) in some)}",
                where=table.file.path,
                hint=f"make it null: CASE WHEN isfinite({quoted(column.name)}) THEN {quoted(column.name)} END",
            )


def _floats(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    numbers = pc.fill_null(column.cast(pa.float64(), safe=False), float("nan"))
    return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
