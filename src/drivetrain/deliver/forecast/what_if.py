"""Changes of inputs, to ask what would be said then: ``price=-10%``, ``price_lately=0.8``, ``stock=+5``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import Signature
from drivetrain.core.schema import ColumnType

_CHANGE = re.compile(r"(?P<name>[^=]+)=(?P<sign>[+-]?)(?P<size>\d+(\.\d+)?)(?P<share>%?)")
_NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER)


@dataclass(frozen=True)
class Change:
    """An input times ``times``, plus ``plus``."""

    name: str
    times: float
    plus: float


def read_change(text: str) -> Change:
    """``NAME=-10%`` and ``NAME=+5`` change an input by that much, ``NAME=0.8`` sets it. Raises InvalidInput."""
    match = _CHANGE.fullmatch(text)
    if match is None:
        raise InvalidInput(
            "change_invalid",
            f"{text!r} is no change of an input",
            where="--what-if",
            hint="write price=-10%, price=+5 or price=4.99",
        )
    name, size = match["name"], float(match["sign"] + match["size"])
    if match["share"]:
        return Change(name, 1 + size / 100, 0.0)
    return Change(name, 1.0, size) if match["sign"] else Change(name, 0.0, size)


def changed(rows: pa.Table, changes: Sequence[Change], signature: Signature) -> pa.Table:
    """The rows with their inputs changed; a missing value stays missing. Raises InvalidInput for what is no number."""
    known = [field.name for field in signature.inputs if field.type in _NUMBERS and not field.of]
    for change in changes:
        if change.name not in known:
            raise InvalidInput(
                "change_unknown",
                f"the model takes no number {change.name!r}",
                where="--what-if",
                hint=f"it takes {examples(known, 40)}",
            )
        column = rows.column(change.name).cast(pa.float64())
        moved = pc.add(pc.multiply(column, change.times), change.plus)
        rows = rows.set_column(rows.column_names.index(change.name), change.name, moved)
    return rows
