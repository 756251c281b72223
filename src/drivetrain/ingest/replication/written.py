"""Values as PostgreSQL writes them, in the types in which the kind ``sql`` reads them from the table.

What both write alike is converted here, the rest (arrays, composites, network addresses, ``char(n)`` ...) by the
server, with the expression that reads the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
import pyarrow as pa
import pyarrow.compute as pcompute

from drivetrain.connect.databases.database import Database
from drivetrain.core.sources.databases import SqlSource
from drivetrain.ingest.databases.columns import Field, Kind
from drivetrain.ingest.databases.relation import portable, see
from drivetrain.ingest.replication.messages import Described
from drivetrain.ingest.replication.publication import quoted

_DOUBLE = 701
_PLAIN_TEXTS = {25, 1043, 2950, 114, 3802}  # text, varchar, uuid, json, jsonb
_DAY = r"^\d{4}-\d\d-\d\d$"
_TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?(\+00)?$"
Texts = Sequence[bytes | None]


@dataclass(frozen=True)
class Written:
    """A column of the changes: what it becomes, its type by number and by name (empty: it is no more)."""

    field: Field
    type: int
    name: str


def columns_of(database: Database, spec: SqlSource, described: Described) -> tuple[Written, ...]:
    """What the server says of the columns of a change. Raises as ``Database.look``."""
    with database.session() as session:
        wanted = [list(one) for one in zip(*described.types, strict=True)]
        rows = session.execute(
            "SELECT format_type(o::oid, m) FROM unnest(%s::int8[], %s::int4[]) WITH ORDINALITY t(o, m, n) ORDER BY n",
            wanted,
        ).fetchall()
    names = ["" if name in ("-", "???") else str(name) for (name,) in rows]
    nulls = [f"NULL::{name or 'text'} AS {quoted(column)}" for name, column in zip(names, described.names, strict=True)]
    with database.look() as look:
        fields = see(look, spec.model_copy(update={"table": None, "query": f"SELECT {', '.join(nulls)}"})).every
    return tuple(
        Written(field, kind[0], name) for field, kind, name in zip(fields, described.types, names, strict=True)
    )


def carried(column: Written, values: Texts, session: Callable[[], psycopg.Connection]) -> pa.Array:
    """The values in the type in which they travel; ``session`` is asked for when the server has to convert them."""
    kind = column.field.kind
    is_odd = kind is Kind.JSON or (kind is Kind.FLOAT and column.type != _DOUBLE)
    is_odd |= kind is Kind.TEXT and column.type not in _PLAIN_TEXTS
    if is_odd and column.name:
        return _converted(column, values, session())
    return _CONVERSIONS.get(kind, _same)(pa.array(values, pa.binary()).cast(pa.string()))


def _converted(column: Written, values: Texts, session: psycopg.Connection) -> pa.Array:
    texts = [None if value is None else value.decode() for value in values]
    expression = portable(f"value::{column.name}", column.field.kind).replace("%", "%%")
    query = f"SELECT {expression} FROM unnest(%s::text[]) WITH ORDINALITY AS t(value, n) ORDER BY n"
    return pa.array(
        [value for (value,) in session.execute(query, (texts,))], _TYPES.get(column.field.kind, pa.string())
    )


def _same(text: pa.StringArray) -> pa.Array:
    return text


def _only(pattern: str, text: pa.StringArray) -> pa.StringArray:
    """Values beyond the years 1 to 9999, and those that are infinite, are missing."""
    return pcompute.if_else(pcompute.match_substring_regex(text, pattern), text, pa.scalar(None, pa.string()))


def _timestamp(text: pa.StringArray) -> pa.Array:
    known = _only(_TIME, text)
    zoned = pcompute.any(pcompute.ends_with(known, "+00")).as_py()
    local = pcompute.replace_substring_regex(known, r"\+00$", "").cast(pa.timestamp("us"))
    return local.cast(pa.timestamp("us", "UTC")) if zoned else local


_TYPES = {Kind.FLOAT: pa.float64()}
_CONVERSIONS: dict[Kind, Callable[[pa.StringArray], pa.Array]] = {
    Kind.INTEGER: lambda text: text.cast(pa.int64()),
    Kind.FLOAT: lambda text: text.cast(pa.float64()),
    Kind.DECIMAL: lambda text: pcompute.if_else(pcompute.equal(text, "NaN"), pa.scalar(None, pa.string()), text),
    Kind.BOOLEAN: lambda text: pcompute.equal(text, "t"),
    Kind.DATE: lambda text: _only(_DAY, text).cast(pa.date32()),
    Kind.TIMESTAMP: _timestamp,
    Kind.BYTES: lambda text: pcompute.utf8_slice_codeunits(text, 2),
}
