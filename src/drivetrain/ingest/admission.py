"""What a contract asks of a load as a whole: how many rows, how few bad ones, how fresh."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow.dataset as ds

from drivetrain.core.contract import Contract, Freshness
from drivetrain.core.errors import Refused
from drivetrain.core.schema import ColumnType, Schema
from drivetrain.ingest.origin import Origin
from drivetrain.ingest.staging import Staging
from drivetrain.store.casting import quoted

_EXAMPLES = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def admit(judged: Staging, contract: Contract, schema: Schema, stored: ds.Dataset | None, where: str) -> None:
    """Raise Refused when the judged load as a whole breaks the contract; ``stored`` rows stay in the table beside."""
    new, old = judged.count(Origin.SOURCE), judged.count(Origin.STORED)
    if new.rows or judged.whole:
        _check_volume(new.rows, contract, where)
    for origin, count in ((Origin.SOURCE, new), (Origin.STORED, old)):
        if count.bad > contract.max_bad_share * count.rows:
            raise _too_many_bad(judged, origin, contract, where)
    if contract.freshness is not None:
        rows = [one for one in (judged.good_rows(), stored) if one is not None]
        check_freshness(judged.sql, rows, schema, contract.freshness, where)


def check_freshness(
    sql: duckdb.DuckDBPyConnection, rows: Sequence[ds.Dataset], schema: Schema, freshness: Freshness, where: str
) -> None:
    """Raise Refused when the newest value in the rows is too old, is no time, or there is none."""
    column = schema.column(freshness.column)
    place = f"{where}, freshness of {column.name}"
    if column.type not in (ColumnType.DATE, ColumnType.TIMESTAMP):
        raise Refused(
            "check_not_evaluable",
            f"the column is {column.type}, so its age cannot be told",
            where=place,
            hint="declare it as date or timestamp",
        )
    found = [moment for one in rows if (moment := _newest(sql, column.name, one)) is not None]
    if not found or max(found) < datetime.now(UTC) - timedelta(hours=freshness.max_age_hours):
        raise Refused(
            "stale",
            f"the newest value is {max(found):%Y-%m-%d %H:%M} UTC" if found else "there is no value",
            where=place,
            hint=f"at most {freshness.max_age_hours:g} hours are allowed; find out why the source stands still",
        )


def _newest(sql: duckdb.DuckDBPyConnection, column: str, rows: ds.Dataset) -> datetime | None:
    sql.register("moments", rows)
    row = sql.execute(f"SELECT epoch_us(max({quoted(column)})) FROM moments").fetchone()
    sql.unregister("moments")
    assert row is not None
    return None if row[0] is None else _EPOCH + timedelta(microseconds=row[0])


def _check_volume(rows: int, contract: Contract, where: str) -> None:
    allowed = contract.rows
    few, many = allowed.min is not None and rows < allowed.min, allowed.max is not None and rows > allowed.max
    if few or many:
        raise Refused(
            "volume",
            f"the load brings {rows:,} rows; the contract wants "
            f"{f'at least {allowed.min:,}' if few else f'at most {allowed.max:,}'}",
            where=where,
            hint="find out what the source did; or correct `rows` in the contract",
        )


def _too_many_bad(judged: Staging, origin: Origin, contract: Contract, where: str) -> Refused:
    count, reasons = judged.count(origin), judged.reasons(origin)
    rest = [f"and {len(reasons) - _EXAMPLES} more kinds"] if len(reasons) > _EXAMPLES else []
    lines = "".join(f"\n  {line}" for line in [*reasons[:_EXAMPLES], *rest])
    what = "rows of the load" if origin is Origin.SOURCE else "rows in the table, judged again by the changed contract,"
    return Refused(
        "too_many_bad_rows",
        f"{count.bad:,} of {count.rows:,} {what} are bad ({count.bad / count.rows:.2%}, "
        f"at most {contract.max_bad_share:.2%}):{lines}",
        where=where,
        hint="correct the source or the contract; or raise `max_bad_share` to quarantine them",
    )
