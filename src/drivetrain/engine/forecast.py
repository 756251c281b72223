"""``drivetrain forecast``: what the project's SQL says of the past and of the stock, and the release that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from drivetrain.core.artifacts import Features
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.forecast import ForecastSpec
from drivetrain.core.refs import Ref
from drivetrain.deliver.forecast.asked import Asked, Forecasted
from drivetrain.deliver.forecast.forecast import forecast
from drivetrain.deliver.forecast.what_if import read_change
from drivetrain.engine.traffic import answer
from drivetrain.store.files.spreadsheet import to_csv, to_xlsx
from drivetrain.store.folders import write_file
from drivetrain.store.tables import Table

if TYPE_CHECKING:
    from drivetrain.engine.project import Project

_KINDS = (".csv", ".xlsx")


def make_forecast(
    project: Project, release: Ref | None = None, what_if: Sequence[str] = (), export: Path | None = None
) -> Forecasted:
    """Forecast the newest open rows with a release (by default the one that serves), and keep that if it is new.

    ``what_if`` are changes of inputs, ``export`` a file that ends with .csv or .xlsx. Raises what
    ``deliver.forecast.forecast`` raises, Forbidden, NotFound without a section `forecast` or a feature table.
    """
    project.signer("forecast")
    spec, name = _spec(project), project.spec.project
    if export is not None and export.suffix not in _KINDS:
        raise InvalidInput("export_unknown", f"no file is written as {export.name}", hint="call it .csv or .xlsx")
    verified = project.verify(release or project.deployment().champion)
    features = project.catalog.latest(Features, name)
    if features is None:
        raise NotFound("stage_not_run", "there is no feature table yet", hint="`drivetrain prepare` makes it")
    found = (project.catalog.find(ref) for ref in project.catalog.ancestors(verified.ref))
    asked = Asked(
        spec=spec,
        service=project.spec.service_name,
        features=features,
        trained=next(artifact for artifact in found if isinstance(artifact, Features)),
        actuals=_answer(project, spec.actuals),
        on_hand=_answer(project, spec.stock.on_hand) if spec.stock and spec.stock.on_hand else None,
        changes=tuple(map(read_change, what_if)),
    )
    told, tables = forecast(asked, verified, project.catalog)
    if export is not None:
        _export(export.absolute(), {name: table for name, table in tables.items() if table.num_rows})
    return told


def _export(file: Path, tables: Mapping[str, pa.Table]) -> None:
    """A workbook with a sheet for each table; as CSV the first is the file, and another has its name at the end."""
    if file.suffix == ".xlsx":
        write_file(file, to_xlsx(tables))
        return
    for at, (name, table) in enumerate(tables.items()):
        write_file(file.with_stem(f"{file.stem}-{name}") if at else file, to_csv(table))


def _spec(project: Project) -> ForecastSpec:
    if project.spec.forecast is None:
        raise NotFound(
            "forecast_undeclared",
            "the project does not say what to forecast",
            where=str(project.file),
            hint="declare it under `forecast:`; docs/packs/forecast.md shows how",
        )
    return project.spec.forecast


def _answer(project: Project, path: str) -> pa.Table:
    """What a SQL file of the project says of the newest versions of its sources."""
    sql = project.home / path
    if not sql.is_file():
        raise NotFound("project_file_missing", f"there is no {path}", where=str(project.file), hint="write it")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for source in project.spec.sources:
            connection.register(source, Table(project.catalog.table_path("datasets", source)).dataset())
        return answer(connection, sql)
