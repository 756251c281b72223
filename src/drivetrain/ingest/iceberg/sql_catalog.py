"""Where a catalog says that the metadata of a table is, when the catalog is a table of a database."""

from __future__ import annotations

from drivetrain.connect.databases.database import Database
from drivetrain.connect.databases.statements import Bound, conditions
from drivetrain.connect.place import Place
from drivetrain.connect.retrying import retrying
from drivetrain.core.contract import Contract
from drivetrain.core.errors import NotFound
from drivetrain.core.sources.databases import SqlSource
from drivetrain.core.sources.lakes import SqlCatalog

_KEY = ("catalog_name", "table_namespace", "table_name")


def metadata_location(catalog: SqlCatalog, table: str, place: Place) -> str:
    """The address of the newest metadata. Raises NotFound, Refused, InvalidInput, or Transient when nobody answers."""
    source = SqlSource(
        kind="sql",
        url=catalog.url,
        user=catalog.user,
        password=catalog.password,
        table="iceberg_tables",
        contract=Contract(key=_KEY),
    )
    namespace, _, name = table.rpartition(".")
    wanted = zip(_KEY, (catalog.name, namespace, name), strict=True)
    clauses = [(f"{column} = ", Bound(value)) for column, value in wanted]
    statement = ("SELECT metadata_location FROM iceberg_tables", *conditions(clauses))

    def attempt() -> list[tuple[object, ...]]:
        with Database(source, place).look() as look:
            return look.ask(statement)

    found = [location for (location,) in retrying(attempt) if location]
    if not found:
        hint = "correct `table`, or `name` of the catalog: one database may hold several"
        raise NotFound("iceberg_unknown", f"the catalog knows no table {table!r}", where=catalog.name, hint=hint)
    return str(found[0])
