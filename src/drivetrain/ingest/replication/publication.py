"""The table of a source as it is published: which columns and rows, and what names a row in a change."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from drivetrain.core.errors import NotFound, Refused, examples
from drivetrain.core.sources.databases import CdcSource

_OLDEST = 150_000
_TABLE = """
SELECT c.oid::int8, c.relreplident::text, coalesce((
    SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
    AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) WHERE i.indrelid = c.oid
    AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END), '{}'),
  current_setting('wal_level'), (SELECT system_identifier FROM pg_control_system())::text,
  pg_current_wal_flush_lsn() - '0/0', greatest(c.reltuples, 0)::int8,
  quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s)
"""
_PUBLISHED = """
SELECT coalesce(r.oid, n.oid, p.oid)::int8, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
  (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
   WHERE a.attrelid = %(table)s::oid AND a.attname = ANY (t.attnames)
     AND (a.attgenerated = '' OR current_setting('server_version_num')::integer >= 180000)), t.rowfilter
FROM pg_publication p
LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = %(table)s::oid
LEFT JOIN pg_publication_namespace n
  ON n.pnpubid = p.oid AND n.pnnspid = (SELECT relnamespace FROM pg_class WHERE oid = %(table)s::oid)
LEFT JOIN pg_publication_tables t ON t.pubname = p.pubname
  AND (t.schemaname, t.tablename) = (SELECT s.nspname, c.relname FROM pg_class c
    JOIN pg_namespace s ON s.oid = c.relnamespace WHERE c.oid = %(table)s::oid)
WHERE p.pubname = %(name)s
"""
_WHOLE = """
SELECT 0::int8, true, array_agg(attname::text ORDER BY attnum), NULL FROM pg_attribute
WHERE attrelid = %(table)s AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


@dataclass(frozen=True)
class Published:
    """The table as it is: its id, the columns and rows that are published; the server, and where its log ends.

    ``size`` is how many rows the server believes there are. ``since`` is another number when the table was not
    published for a while, or other columns or rows of it.
    """

    table: int
    since: int
    columns: tuple[str, ...]
    rows: str
    system: str
    end: int
    size: int


def published(session: psycopg.Connection, spec: CdcSource, *, make: bool) -> Published:
    """The table, published; with ``make`` the publication is made where it is not there.

    Raises NotFound, and Refused where server, table or publication are not made for it.
    """
    where = spec.table
    if session.info.server_version < _OLDEST:
        raise Refused("cdc_server", "logical replication is read from PostgreSQL 15 on", where=where, hint="upgrade it")
    path = ".".join(quoted(part) for part in spec.table.split("."))
    row = session.execute(_TABLE, (path,)).fetchone()
    if row is None:
        raise NotFound("sql_table_unknown", f"there is no table {spec.table!r}", where=where,
                       hint="correct the name in `table`; give its schema if it is not in the default one")  # fmt: skip
    table, identity, key, level, system, end, size, name = row
    if level != "logical":
        hint = "ALTER SYSTEM SET wal_level = 'logical', and restart the server"
        raise Refused(
            "cdc_server", f"the server's log holds no changes: its wal_level is {level}", where=where, hint=hint
        )
    _check_identity(spec, name, identity, tuple(key))
    since, everything, columns, rows = _publication(session, spec, table, name, make=make)
    _check_publication(spec, everything, columns)
    chosen = tuple(one for one in columns if not spec.columns or one in spec.columns)
    return Published(table, since, chosen, rows or "", system, int(end), size)


def _check_identity(spec: CdcSource, name: str, identity: str, columns: tuple[str, ...]) -> None:
    key = spec.contract.key
    if identity == "f" or set(key) == set(columns):
        return
    has = f"its changes name a row by {', '.join(columns)}" if columns else "it has no primary key"
    raise Refused(
        "cdc_identity",
        f"{has}; the contract's key is {', '.join(key)}",
        where=spec.table,
        hint=f"set `key` to the primary key; or ALTER TABLE {name} REPLICA IDENTITY FULL (or USING INDEX ...)",
    )


_Found = tuple[int, bool, list[str], str | None]


def _publication(session: psycopg.Connection, spec: CdcSource, table: int, name: str, *, make: bool) -> _Found:
    """Its number, whether it publishes every kind of change, which columns, and the condition of the rows."""
    named, asked = quoted(spec.publication_name), {"table": table, "name": spec.publication_name}
    row = session.execute(_PUBLISHED, asked).fetchone()
    if row is None and make:
        _run_for_us(session, spec, f"CREATE PUBLICATION {named} FOR TABLE {name} WITH (publish_via_partition_root)")
        row = session.execute(_PUBLISHED, asked).fetchone()
    add = f"ALTER PUBLICATION {named} ADD TABLE {name}"
    if row is not None and row[2] is None and make and spec.publication is None:
        _run_for_us(session, spec, add)
        row = session.execute(_PUBLISHED, asked).fetchone()
    if row is not None and row[2] is None and (make or spec.publication is not None):
        said = f"the publication {spec.publication_name} does not hold the table"
        raise Refused(
            "cdc_publication",
            said,
            where=spec.table,
            hint=f"{add} (of a partitioned one: WITH publish_via_partition_root)",
        )
    found = row if row is not None and row[2] is not None else session.execute(_WHOLE, asked).fetchone()
    assert found is not None
    return found[0], found[1], found[2], found[3]


def _check_publication(spec: CdcSource, everything: bool, columns: list[str]) -> None:
    publication = spec.publication_name
    if not everything:
        hint = f"ALTER PUBLICATION {quoted(publication)} SET (publish = 'insert, update, delete, truncate')"
        raise Refused("cdc_publication", f"{publication} leaves kinds of changes out", where=spec.table, hint=hint)
    lacking = [one for one in (*spec.columns, *spec.contract.key) if one not in columns]
    if lacking:
        said = f"{publication} does not publish {examples(lacking)}"
        raise Refused(
            "cdc_publication", said, where=spec.table, hint="correct `columns`, or the publication's list of them"
        )


def _run_for_us(session: psycopg.Connection, spec: CdcSource, statement: str) -> None:
    try:
        session.execute(statement)
    except psycopg.errors.DuplicateObject:
        return  # somebody was quicker
    except psycopg.errors.InsufficientPrivilege:
        said = "the table is not published, and this user may not change that"
        raise Refused("cdc_publication", said, where=spec.table, hint=f"as its owner: {statement}") from None


def quoted(name: str) -> str:
    """The name in SQL."""
    return '"' + name.replace('"', '""') + '"'
