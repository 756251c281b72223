"""Rows as JSON: times in ISO 8601 (UTC), decimals as numbers with all their digits, what is not finite as null."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from drivetrain.deliver.outlet import Parcel

Row = Mapping[str, object]
"""A row's values by column."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def rows_of(parcel: Parcel) -> list[Row]:
    """The rows of a parcel, in order."""
    rows: list[Row] = parcel.rows.to_pylist()
    return rows


def as_json(value: object) -> bytes:
    """A row, several rows, or a value of one."""
    return _encoder.encode(value)


def as_text(value: object) -> str:
    """A value as it stands in a text: nothing for what is missing."""
    if value is None or isinstance(value, str):
        return value or ""
    text = as_json(value).decode()
    return text[1:-1] if text.startswith('"') else text  # times: they hold nothing that JSON escapes
