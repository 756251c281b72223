"""Leaks stop the run: what a model could learn but will not have when it predicts, or has seen already."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from drivetrain.core.errors import InvalidInput, Refused, examples
from drivetrain.core.project import LeakRules
from drivetrain.core.project import Split as SplitSpec
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.task import Task
from drivetrain.ops import leaks
from drivetrain.ops.leaks import Levels
from drivetrain.ops.truth import halved
from drivetrain.prepare.cases import PreparedCases
from drivetrain.prepare.spine import GROUP

_FILLED_AFTER = 30
"""Rows, all of the rarer class, from which on a field that is filled only there counts as filled afterwards."""
_UNLIKELY = -9.0
"""ln P below which a column meets the label's mean too closely: 1 in 8,000."""
_ALL = 1.0 - 1e-9
_IDENTIFIERS = 50
_UNKNOWN_THEN = "take it out of the SQL: it is not known when the prediction is made"
_IDENTIFIER = "take it out of the SQL: what a row is called says nothing about the next one"


@dataclass(frozen=True)
class Leak:
    """What leaks: a column (or the columns that leak together), where it comes from, the measurement and the cure."""

    code: str
    column: str
    where: str
    found: str
    cure: str

    def __str__(self) -> str:
        return f"column {self.column!r} {self.found}"


@dataclass(frozen=True)
class _Column:
    """An input under examination: its levels, and all there is to hold it against; ``label`` is yes or no."""

    cases: PreparedCases
    column: Column
    levels: Levels
    label: NDArray[np.bool_]
    test: NDArray[np.bool_]
    rules: LeakRules

    @property
    def task(self) -> Task:
        return self.cases.spine.task

    def leak(self, code: str, found: str, cure: str) -> Leak:
        return Leak(code, self.column.name, self.cases.files[self.column.name], found, cure)


def refuse_leaks(cases: PreparedCases, test: NDArray[np.bool_], rules: LeakRules, split: SplitSpec) -> None:
    """Raise Refused when anything leaks, naming each column, what was measured, and the cure.

    Columns in ``rules.allow`` are not judged; raises InvalidInput when one of them does not exist.
    """
    _check_allowed(cases, rules, split)
    label = halved(cases.spine.task, cases.label)
    columns = {column.name: cases.levels(column) for column in cases.inputs.columns}
    found = [
        leak
        for column in cases.inputs.columns
        if column.name not in rules.allow
        for leak in _first(_Column(cases, column, columns[column.name], label, test, rules))
    ]
    found += _groups(cases, test, rules, split)
    if not found:
        found += _duplicates(cases, tuple(columns.values()), test, rules)
    if found:
        raise _refused(found)


def _first(column: _Column) -> Iterator[Leak]:
    """The first thing that is wrong with a column; more would say the same in other words."""
    for check in _CHECKS:
        leak = check(column)
        if leak is not None:
            yield leak
            return


def _copy(at: _Column) -> Leak | None:
    if at.task is Task.NUMBER:
        return _copied_number(at)
    auc = max(leaks.single_auc(at.label, at.levels), leaks.value_auc(at.label, at.levels, at.test))
    if auc == 1.0:
        return at.leak(
            "leak_target_copy", "is the label in other words: alone it ranks the cases without a mistake", _UNKNOWN_THEN
        )
    if auc > at.rules.max_single_auc:
        found = f"alone reaches a ROC AUC of {auc:.4f}, above max_single_auc {at.rules.max_single_auc}"
        return at.leak("leak_single_column", found, _UNKNOWN_THEN)
    return None


def _copied_number(at: _Column) -> Leak | None:
    explained = leaks.explained(at.cases.label.astype(np.float64), at.levels)
    if explained > _ALL:
        return at.leak(
            "leak_target_copy", "is the label in another unit: a line through it meets every case", _UNKNOWN_THEN
        )
    if explained > at.rules.max_single_auc:
        found = (
            f"alone explains {explained:.4f} of the label's variance, above max_single_auc {at.rules.max_single_auc}"
        )
        return at.leak("leak_single_column", found, _UNKNOWN_THEN)
    return None


def _missing(at: _Column) -> Leak | None:
    auc = leaks.missing_auc(at.label, at.levels)
    if auc > at.rules.max_single_auc:
        found = f"gives the label away by being missing or not: ROC AUC {auc:.4f}"
        return at.leak("leak_missingness", found, _UNKNOWN_THEN)
    if at.task is not Task.YES_NO:
        return None
    for word, rows in (("filled", at.levels.present), ("missing", ~at.levels.present)):
        count = leaks.one_class_rows(at.label, rows)
        if count >= _FILLED_AFTER:
            outcome = str(bool(at.label[rows][0])).lower()
            found = f"is {word} in {count:,} rows, and the label is {outcome} in every one of them"
            return at.leak("leak_missingness", found, _UNKNOWN_THEN)
    return None


def _target_mean(at: _Column) -> Leak | None:
    if at.column.type is not ColumnType.NUMBER or at.task is not Task.YES_NO:
        return None
    chance = leaks.mean_encoded(at.label, at.levels)
    if chance > _UNLIKELY:
        return None
    found = f"is the mean of the label over the rows that share its value (by chance: 1e{chance / np.log(10):.0f})"
    return at.leak("leak_target_mean", found, "take it out of the SQL: it was made from the labels to be predicted")


def _identifier(at: _Column) -> Leak | None:
    if at.column.type not in (ColumnType.TEXT, ColumnType.INTEGER, ColumnType.NUMBER):
        return None
    entity = at.cases.table.column(at.cases.spine.entity.name)
    values = at.cases.table.column(at.column.name)
    if values.type == entity.type and pc.all(pc.equal(values, entity), skip_nulls=False).as_py():
        return at.leak("leak_identifier", f"is the entity {at.cases.spine.entity.name!r} again", _IDENTIFIER)
    if at.column.type is ColumnType.TEXT:
        present = int(at.levels.present.sum())
        unique = present >= _IDENTIFIERS and len(at.levels.values) == present
        found = f"is text that differs in all {present:,} rows"
        return at.leak("leak_identifier", found, _IDENTIFIER) if unique else None
    return _numbering(at)


def _numbering(at: _Column) -> Leak | None:
    values = at.levels.values
    if leaks.is_serial(at.levels):
        return at.leak("leak_identifier", f"numbers the rows from {values[0]:.0f} to {values[-1]:.0f}", _IDENTIFIER)
    if leaks.is_ordered(at.levels):
        found = f"rises or falls with every row in the order of {at.cases.spine.entity.name!r}"
        return at.leak("leak_identifier", found, _IDENTIFIER)
    if leaks.is_hash(at.levels):
        found = f"holds another number in every row, up to {values[-1]:.0e}: a hash, not a quantity"
        return at.leak("leak_identifier", found, _IDENTIFIER)
    return None


def _future(at: _Column) -> Leak | None:
    time = at.cases.spine.time
    if time is None or at.column.type not in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return None
    late = np.flatnonzero(at.cases.micros(at.column.name) > at.cases.micros(time.name))
    if not len(late):
        return None
    row = int(late[0])
    shown = at.cases.table.slice(row, 1).to_pylist()[0]
    found = (
        f"lies after {time.name!r} in {len(late):,} of {len(at.label):,} rows, such as "
        f"{shown[at.column.name]} after {shown[time.name]} for {shown[at.cases.spine.entity.name]}"
    )
    cure = "declare `event_time` (and `knowledge_time`) for its table, or take it out: it was not known at the time"
    return at.leak("leak_future", found, cure)


_CHECKS: tuple[Callable[[_Column], Leak | None], ...] = (_future, _missing, _copy, _target_mean, _identifier)


def _groups(cases: PreparedCases, test: NDArray[np.bool_], rules: LeakRules, split: SplitSpec) -> Iterator[Leak]:
    """Groups on both sides of a split by lot: of the split's column, or an entity that has several cases."""
    if split.by not in ("chance", "stratum"):
        return
    spine = cases.spine
    names = {spine.entity.name: spine.entity.name} | ({spine.group.name: GROUP} if spine.group else {})
    for name, column in names.items():
        if name in rules.allow:
            continue
        codes = cases.codes(column)
        shared = leaks.shared_groups(codes, test)
        if len(shared):
            share = float(np.isin(codes[test], shared).mean())
            some = cases.table.column(column).take([int(np.argmax(codes == code)) for code in shared[:6]])
            found = (
                f"has {len(shared):,} values on both sides of the split ({share:.1%} of the test rows), "
                f"such as {examples(some.to_pylist())}"
            )
            cure = f"keep them together: features.split: {{by: group, column: {name}}}, or split by time"
            yield Leak("leak_group", name, spine.file.path, found, cure)


def _duplicates(
    cases: PreparedCases, columns: tuple[Levels, ...], test: NDArray[np.bool_], rules: LeakRules
) -> Iterator[Leak]:
    twins = leaks.duplicate_rows(halved(cases.spine.task, cases.label), columns, test)
    if twins.share <= rules.max_duplicates:
        return
    entity = cases.table.column(cases.spine.entity.name)
    pairs = examples(f"{entity[row]} = {entity[twin]}" for row, twin in twins.pairs)
    found = (
        f"and the label are equal in {twins.share:.1%} of the test rows and a training row "
        f"(max_duplicates {rules.max_duplicates:.1%}), {cases.spine.entity.name!r} {pairs}"
    )
    cure = "take the copies out (SELECT DISTINCT) before the split, or keep them together with a split by group"
    yield Leak("leak_duplicate_rows", examples(cases.inputs.names), cases.spine.file.path, found, cure)


def _check_allowed(cases: PreparedCases, rules: LeakRules, split: SplitSpec) -> None:
    known = [*cases.inputs.names, *cases.spine.names, *([split.column] if split.column else [])]
    for name in rules.allow:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise InvalidInput(
                "column_missing",
                f"there is no column {name!r} to allow",
                where="features.leaks.allow",
                hint=f"{guess}columns: {examples(known, 20)}",
            )


def _refused(found: list[Leak]) -> Refused:
    first = found[0]
    lines = "".join(f"\n  {leak.where}: {leak}" for leak in found[:5])
    rest = f"\n  and {len(found) - 5} more" if len(found) > 5 else ""
    columns = {leak.column for leak in found if leak.code != "leak_duplicate_rows"}
    keep = (
        f"; if you have looked at it and keep it: features.leaks.allow: [{examples(sorted(columns))}]"
        if columns
        else ""
    )
    return Refused(
        first.code,
        str(first) if len(found) == 1 else f"{len(found)} leaks{lines}{rest}",
        where=first.where if len(found) == 1 else "features",
        hint=first.cure + keep,
    )
