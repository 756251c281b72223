"""One relation of a database: which columns it has, and the statements that read it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from drivetrain.connect.databases.database import Look
from drivetrain.connect.databases.statements import Statement, conditions
from drivetrain.core.errors import NotFound, examples
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.databases import SqlSource
from drivetrain.ingest.databases.columns import GONE, MARK, Field, Kind

_POSTGRES = {
    16: Kind.BOOLEAN,
    **dict.fromkeys((20, 21, 23), Kind.INTEGER),
    **dict.fromkeys((700, 701), Kind.FLOAT),
    1700: Kind.DECIMAL,
    1082: Kind.DATE,
    **dict.fromkeys((1114, 1184), Kind.TIMESTAMP),
    17: Kind.BYTES,
}
_MYSQL = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), Kind.INTEGER),
    16: Kind.BYTES,
    **dict.fromkeys((4, 5), Kind.FLOAT),
    **dict.fromkeys((0, 246), Kind.DECIMAL),
    **dict.fromkeys((10, 14), Kind.DATE),
    **dict.fromkeys((7, 12), Kind.TIMESTAMP),
}
_TINY, _INT_DIGITS = 1, 18
_SYSTEM = {"information_schema", "mysql", "performance_schema", "sys"}
# SQLite's values have types, its columns only wishes: the wish is declared, what is no number travels as text.
_SQLITE = (
    ("BOOL", ColumnType.BOOLEAN),
    ("INT", ColumnType.INTEGER),
    ("TIMESTAMP", ColumnType.TIMESTAMP),
    ("DATETIME", ColumnType.TIMESTAMP),
    ("DATE", ColumnType.DATE),
    *((wish, ColumnType.NUMBER) for wish in ("REAL", "FLOA", "DOUB", "NUMERIC", "DEC")),
    *((wish, ColumnType.TEXT) for wish in ("CHAR", "TEXT", "CLOB", "BLOB", "JSON", "UUID")),
)
_SQLITE_KINDS = {ColumnType.INTEGER: Kind.INTEGER, ColumnType.NUMBER: Kind.FLOAT}


@dataclass(frozen=True)
class Relation:
    """A relation as it was seen once; ``quoted`` names everything in the dialect."""

    spec: SqlSource
    source: str
    fields: tuple[Field, ...]
    every: tuple[Field, ...]
    names: dict[str, str]

    def kind(self, name: str) -> Kind:
        """The type of a column, chosen or not."""
        return next(field.kind for field in self.every if field.name == name)

    @property
    def travelling(self) -> tuple[Field, ...]:
        """The columns of ``rows``, in order."""
        spec = self.spec
        mark = (Field(MARK, self.kind(spec.cursor)),) if spec.cursor else ()
        return (*self.fields, *mark, *((Field(GONE, Kind.INTEGER),) if spec.deleted else ()))

    def column(self, name: str) -> str:
        """The column in SQL."""
        return f"source.{self.names[name]}"

    def rows(self, clauses: Sequence[Statement], order: Sequence[str], *, casting: bool) -> Statement:
        """SELECT of the chosen columns, the cursor and whether the row was deleted."""
        spec = self.spec
        shape = portable if casting else _bare
        items = [f"{shape(self.column(field.name), field.kind)} AS {self.names[field.name]}" for field in self.fields]
        if spec.cursor:
            items.append(f"{shape(self.column(spec.cursor), self.kind(spec.cursor))} AS {MARK}")
        if spec.deleted:
            items.append(f"CASE WHEN {self._is_gone(spec.deleted)} THEN 1 ELSE 0 END AS {GONE}")
        by = f" ORDER BY {', '.join(self.column(name) for name in order)}" if order else ""
        return (f"SELECT {', '.join(items)} FROM {self.source}", *conditions(clauses), by)

    def _is_gone(self, mark: str) -> str:
        """The condition; of a column whether it is true, not zero, or, where it is neither, there."""
        field = next((field for field in self.every if field.name == mark), None)
        if field is None or field.kind is Kind.UNKNOWN:
            return mark
        if field.kind is Kind.BOOLEAN:
            return self.column(mark)
        is_number = Kind.INTEGER is field.kind or field.declared is ColumnType.BOOLEAN
        return f"{self.column(mark)} {'<> 0' if is_number else 'IS NOT NULL'}"

    def one(self, values: str, clauses: Sequence[Statement] = ()) -> Statement:
        """SELECT of aggregates."""
        return (f"SELECT {values} FROM {self.source}", *conditions(clauses))


def see(look: Look, spec: SqlSource) -> Relation:
    """The relation as it is now. Raises NotFound with near matches for a table or column that is not there."""
    quote = look.connection.dialect.identifier_preparer.quote
    if spec.table is not None:
        source = f"{'.'.join(quote(part) for part in spec.table.split('.'))} source"
    else:
        source = f"({(spec.query or '').strip().rstrip(';')}\n) source"
    try:
        result = look.run((f"SELECT * FROM {source} WHERE 1 = 0",))
    except sa.exc.DBAPIError:
        if spec.table is not None:
            look.connection.rollback()
            _require_table(look, spec.table)
        raise
    described = list(result.cursor.description) if result.cursor is not None else []
    result.close()
    every = tuple(_fields(look, described, spec))
    names = [field.name for field in every]
    wanted = [*spec.columns, *spec.contract.key, *filter(None, (spec.cursor, spec.parallel_by))]
    for name in wanted:
        if name not in names:
            message, where = f"there is no column {name!r}", spec.table or "query"
            raise NotFound("sql_column_unknown", message, where=where, hint=_near(name, names))
    chosen = tuple(field for field in every if not spec.columns or field.name in spec.columns)
    return Relation(spec, source, chosen, every, {name: quote(name) for name in names})


def size(look: Look, spec: SqlSource) -> int:
    """How many rows the database believes there are, without counting; 0 where nobody knows."""
    if spec.table is None or look.family not in _STATISTICS:
        return 0
    schema, _, name = spec.table.rpartition(".")
    sql = _STATISTICS[look.family]
    rows = look.connection.execute(sa.text(sql), {"name": name, "schema": schema or None}).scalar()
    return max(0, int(rows or 0))


_STATISTICS = {
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = to_regclass(concat_ws('.', quote_ident("
    "CAST(:schema AS text)), quote_ident(CAST(:name AS text))))",
    "mysql": "SELECT table_rows FROM information_schema.tables WHERE table_name = :name "
    "AND table_schema = coalesce(:schema, database())",
}


def _fields(look: Look, described: Sequence[Sequence[object]], spec: SqlSource) -> Iterable[Field]:
    wishes = _wishes(look, spec) if look.family == "sqlite" else {}
    others = _categories(look, described) if look.family == "postgresql" else {}
    for column in described:
        name, code, scale = str(column[0]), column[1], column[5]
        if look.family == "postgresql":
            kind = _POSTGRES.get(int(str(code)), others.get(int(str(code)), Kind.TEXT))
            whole = kind is Kind.DECIMAL and scale == 0 and int(str(column[4])) <= _INT_DIGITS
            yield Field(name, Kind.INTEGER if whole else kind)
        elif look.family == "mysql":
            kind = _MYSQL.get(int(str(code)), Kind.TEXT)
            if int(str(code)) == _TINY and column[3] == 1:
                kind = Kind.BOOLEAN
            whole = kind is Kind.DECIMAL and scale == 0 and int(str(column[3])) <= _INT_DIGITS
            yield Field(name, Kind.INTEGER if whole else kind)
        elif look.family == "sqlite":
            wish = wishes.get(name)
            yield Field(name, _SQLITE_KINDS.get(wish, Kind.TEXT) if wish else Kind.UNKNOWN, wish)
        else:
            yield Field(name, Kind.UNKNOWN)


def _categories(look: Look, described: Sequence[Sequence[object]]) -> dict[int, Kind]:
    """Arrays and composites among the types that we do not know by number."""
    oids = ", ".join(sorted({str(column[1]) for column in described}))
    if not oids:
        return {}
    rows = look.ask((f"SELECT oid::int8, typcategory::text FROM pg_type WHERE oid IN ({oids})",))
    return {int(str(oid)): Kind.JSON for oid, category in rows if category in ("A", "C")}


def _wishes(look: Look, spec: SqlSource) -> dict[str, ColumnType]:
    if spec.table is None:
        return {}
    rows = look.connection.execute(
        sa.text("SELECT name, upper(type) FROM pragma_table_info(:name)"), {"name": spec.table}
    )
    found = {}
    for name, wish in rows:
        kind = next((kind for word, kind in _SQLITE if word in wish), None)
        if kind is not None:
            found[name] = kind
    return found


def _require_table(look: Look, table: str) -> None:
    """Raises NotFound when it is not there, with names that are: of its schema, else of all."""
    schema, _, name = table.rpartition(".")
    inspector = sa.inspect(look.connection)
    names = _tables(inspector, schema)
    if table in names:
        return
    others = () if names else [one for one in inspector.get_schema_names() if one not in _SYSTEM]
    known = [*names, *(one for other in others for one in _tables(inspector, other))]
    namesakes = [one for one in known if one.rpartition(".")[2] == name]
    hint = _near(table, known, namesakes) if known else "there is none that this user may see; correct `url` or rights"
    raise NotFound("sql_table_unknown", f"there is no table {table!r}", where=table, hint=hint)


def _tables(inspector: sa.Inspector, schema: str) -> list[str]:
    names = [*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)]
    return [f"{schema}.{name}" if schema else name for name in names]


def _near(name: str, names: Sequence[str], namesakes: Sequence[str] = ()) -> str:
    near = namesakes or difflib.get_close_matches(name, names, 3, 0.5)
    return f"did you mean {' or '.join(repr(one) for one in near)}?" if near else f"there are: {examples(names, 20)}"


def _bare(column: str, kind: Kind) -> str:
    return column


def portable(column: str, kind: Kind) -> str:
    """The column in types that PostgreSQL's Arrow driver carries; what no other type has (NaN, infinity) is missing."""
    if kind in (Kind.DATE, Kind.TIMESTAMP):
        return f"CASE WHEN {column} >= '0001-01-01' AND {column} < '10000-01-01' THEN {column} END"
    return {
        Kind.INTEGER: f"{column}::int8",
        Kind.FLOAT: f"{column}::float8",
        Kind.DECIMAL: f"nullif({column}, 'NaN')::text",
        Kind.BYTES: f"encode({column}, 'hex')",
        Kind.JSON: f"to_json({column})::text",
        Kind.TEXT: f"{column}::text",
    }.get(kind, column)
