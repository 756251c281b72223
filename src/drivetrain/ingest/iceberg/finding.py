"""Where the newest metadata of an Iceberg table is: in its folder, or where a catalog says."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from typing import assert_never

from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil

from drivetrain.connect.afar.address import Address
from drivetrain.connect.afar.buckets import table_options
from drivetrain.connect.place import Place
from drivetrain.core.errors import MissingExtra, NotFound
from drivetrain.core.sources.lakes import IcebergSource, RestCatalog, SqlCatalog
from drivetrain.ingest.iceberg.files import IcebergFiles
from drivetrain.ingest.iceberg.rest_catalog import RestTable

_METADATA = re.compile(r"(?:v(\d+)|(\d+)-[\w-]+)(?:\.gz)?\.metadata\.json(?:\.gz)?")
_CREDENTIALS = frozenset({"access_key", "secret_key", "token", "service_account", "anonymous"})
# What catalogs call the options of a store, and what the library object_store calls them.
_TOLD = {
    "s3.endpoint": "endpoint",
    "s3.region": "region",
    "client.region": "region",
    "s3.access-key-id": "access_key_id",
    "s3.secret-access-key": "secret_access_key",
    "s3.session-token": "token",
    "adls.account-name": "account_name",
    "adls.account-key": "account_key",
    "adls.sas-token": "sas_key",
}
_OF_ACCOUNT = re.compile(r"(?<=^adls\.sas-token)\..*")


def find_table(spec: IcebergSource, place: Place) -> tuple[TableMetadata, IcebergFiles]:
    """The table as it is now. Raises NotFound, Forbidden, Refused, InvalidInput or Transient."""
    where = f"iceberg {spec.table or spec.path}"

    def options(address: Address) -> dict[str, str]:
        return table_options(address, spec.storage, place.secrets)

    match spec.catalog:
        case RestCatalog():
            table = RestTable(spec.catalog, spec.table or "", place, spec.storage.patience_seconds)
            files = IcebergFiles(lambda address: options(address) | _told(spec, table.access()), where)
            content = table.metadata()
        case SqlCatalog():
            files = IcebergFiles(options, where)
            content = _content(_in_database(spec.catalog, spec.table or "", place), files)
        case None:
            files = IcebergFiles(options, where)
            content = _content(
                _newest(spec.path if spec.is_afar else str(place.home / (spec.path or "")), files), files
            )
        case _:
            assert_never(spec.catalog)
    with files.explained():
        return TableMetadataUtil.parse_raw(content.decode()), files


def _told(spec: IcebergSource, access: Mapping[str, str]) -> dict[str, str]:
    """What a catalog says of the store, as far as the source does not say it itself."""
    given = spec.storage.model_fields_set
    names = {name: _TOLD.get(_OF_ACCOUNT.sub("", name)) for name in access}
    found = {known: access[name] for name, known in names.items() if known}
    if _CREDENTIALS & given:
        found = {name: value for name, value in found.items() if name in ("endpoint", "region")}
    return {name: value for name, value in found.items() if name not in given}


def _in_database(catalog: SqlCatalog, table: str, place: Place) -> str:
    try:
        from drivetrain.ingest.iceberg.sql_catalog import metadata_location
    except ImportError as error:
        raise MissingExtra(error.name or "sqlalchemy", "sql") from None
    return metadata_location(catalog, table, place)


def _newest(path: str | None, files: IcebergFiles) -> str:
    """The metadata file that the path is, or the newest in the table's folder: they are numbered."""
    if path is not None and _METADATA.fullmatch(path.rpartition("/")[2]):
        return path
    folder = f"{(path or '').rstrip('/')}/metadata"
    with files.explained():
        found = {name: _METADATA.fullmatch(name) for name in files.names(folder)}
    numbers = {name: int(match[1] or match[2]) for name, match in found.items() if match}
    if not numbers:
        hint = "correct `path`: the folder that holds `metadata` and `data`, or name `table` and `catalog`"
        raise NotFound("iceberg_unknown", "there is no Iceberg table", where=files.where, hint=hint)
    return f"{folder}/{max(numbers, key=lambda name: (numbers[name], name))}"


def _content(location: str, files: IcebergFiles) -> bytes:
    with files.explained(), files.open(location) as file:
        content: bytes = file.read()
        return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
