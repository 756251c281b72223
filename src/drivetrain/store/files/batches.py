"""Rows of a file, a batch at a time, each with its number; those that could not be taken apart stand beside them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from drivetrain.core.schema import Schema


@dataclass(frozen=True)
class BrokenRow:
    """A row that could not be taken apart into columns: its number, its text and why."""

    number: int
    text: str
    reason: str


class Change(StrEnum):
    """What the rows of a batch do to the table."""

    ADD = "add"
    """They are new."""
    PUT = "put"
    """Each stands in place of the row with the same key, if there is one (inserts and updates)."""
    DROP = "drop"
    """The rows with these keys go; only the columns of the key count."""
    WHOLE = "whole"
    """All batches of the load together are the whole source: rows that are not among them go."""


@dataclass(frozen=True)
class Batch:
    """Some rows of one portion, in order.

    ``rows`` holds text where the source has no types, so that a bad value is a bad row; else the source's own types.
    ``change`` is what they do; ``PUT`` and ``DROP`` need a contract with a ``key``, and the last change to a row in a
    load counts. One reading only adds, or puts and drops, or is the whole.
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
    change: Change = Change.ADD
