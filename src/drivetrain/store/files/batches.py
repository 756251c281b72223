"""Rows of a file, a batch at a time, each with its number; those that could not be taken apart stand beside them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from drivetrain.core.schema import Schema


@dataclass(frozen=True)
class BrokenRow:
    """A row that could not be taken apart into columns: its number, its text and why."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Some rows of one portion, in order.

    ``rows`` holds text where the source has no types, so that a bad value is a bad row; else the source's own types.
    ``numbers`` [rows] counts within the portion from 1. ``declared`` gives the types where the source itself has
    types. With ``optional_fields`` a column that is absent is missing in these rows, not gone from the source.
    ``done`` is how much of the source has been passed, in the unit of ``Portion.size``.
    """

    portion: str
    rows: pa.Table
    numbers: pa.Int64Array
    broken: tuple[BrokenRow, ...] = ()
    declared: Schema | None = None
    optional_fields: bool = False
    done: int = 0
