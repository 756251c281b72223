"""The kind ``sql``: rows into a table of a database."""

from __future__ import annotations

from drivetrain.connect.place import Place
from drivetrain.core.errors import MissingExtra
from drivetrain.core.outlets.databases import SqlOutlet
from drivetrain.deliver.outlet import Outlet


def open_sql(spec: SqlOutlet, place: Place) -> Outlet:
    """An outlet that writes into the table. Raises MissingExtra, and InvalidInput for a URL that is none."""
    try:
        from drivetrain.deliver.sql_table import SqlTable
    except ImportError as error:
        raise MissingExtra(error.name or "sqlalchemy", "sql") from error
    return SqlTable(spec, place)
