"""Changes of inputs, to ask what would be said then: ``price=-10%``, ``price_lately=0.8@2011-12-12..2011-12-16``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import Signature
from drivetrain.core.schema import ColumnType

_DAY = r"\d{4}-\d{2}-\d{2}"
_CHANGE = re.compile(
    r"(?P<name>[^=]+)=(?P<sign>[+-]?)(?P<size>\d+(\.\d+)?)(?P<share>%?)"
    rf"(@(?P<first>{_DAY})(\.\.(?P<last>{_DAY}))?)?"
)
_KINDS = (ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN)


@dataclass(frozen=True)
class Change:
    """An input times ``times``, plus ``plus``, on the days from ``first`` to ``last``, or on all."""

    name: str
    times: float
    plus: float
    first: date = date.min
    last: date = date.max


def read_change(text: str) -> Change:
    """``NAME=-10%`` and ``NAME=+5`` change an input by that much, ``NAME=0.8`` sets it; ``@DAY`` or ``@DAY..DAY`` says
    when. Raises InvalidInput.
    """
    match = _CHANGE.fullmatch(text)
    try:
        days = [] if match is None else [date.fromisoformat(match[one]) for one in ("first", "last") if match[one]]
    except ValueError:
        match = None
    if match is None:
        raise InvalidInput(
            "change_invalid",
            f"{text!r} is no change of an input",
            where="--what-if",
            hint="write price=-10%, price=+5, price=4.99, is_closed=1@2011-12-23 or price=-10%@2011-12-12..2011-12-16",
        )
    name, size = match["name"], float(match["sign"] + match["size"])
    when = (days[0], days[-1]) if days else (date.min, date.max)
    if match["share"]:
        return Change(name, 1 + size / 100, 0.0, *when)
    return Change(name, 1.0, size, *when) if match["sign"] else Change(name, 0.0, size, *when)


def changed(rows: pa.Table, changes: Sequence[Change], signature: Signature, time: str) -> pa.Table:
    """The rows with their inputs changed; a missing value stays missing. ``time`` names the column with their day.

    Raises InvalidInput for an input that is no number and no yes or no, and a yes or no that is not set to 1 or 0.
    """
    known = {field.name: field.type for field in signature.inputs if field.type in _KINDS and not field.of}
    days = rows.column(time).cast(pa.date32())
    for change in changes:
        is_set = change.times == 0.0 and change.plus in (0.0, 1.0)
        if change.name not in known or (known[change.name] is ColumnType.BOOLEAN and not is_set):
            raise InvalidInput(
                "change_unknown",
                f"the model takes no number {change.name!r}" if change.name not in known
                else f"{change.name!r} is a yes or no",
                where="--what-if",
                hint=f"it takes {examples(known, 40)}" if change.name not in known else "set it to 1 or 0",
            )  # fmt: skip
        column = rows.column(change.name).cast(pa.float64())
        moved = pc.add(pc.multiply(column, change.times), change.plus)
        then = pc.and_(pc.greater_equal(days, change.first), pc.less_equal(days, change.last))
        moved = pc.if_else(then, moved, column)
        if known[change.name] is ColumnType.BOOLEAN:
            moved = pc.greater(moved, 0.5)
        rows = rows.set_column(rows.column_names.index(change.name), change.name, moved)
    return rows
