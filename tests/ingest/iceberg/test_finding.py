"""Where tables are: in folders and buckets, known by a catalog in a database or by a REST catalog."""

import gzip
import json
from pathlib import Path

import pytest
from pyiceberg.catalog.rest import RestCatalog
from tests.ingest.iceberg.conftest import WORDS, source, take, words
from tests.servers.rest import hang_up, says, status
from tests.servers.seaweedfs import KEY, SECRET, object_store

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.lakes import IcebergSource
from drivetrain.ingest.reading import open_reader

CLIENT = {"kind": "oauth2", "client_id": {"env": "KEY"}, "client_secret": {"env": "SECRET"}}
KEYS = {"access_key": {"env": "KEY"}, "secret_key": {"env": "SECRET"}}


def by_catalog(catalog, table="sales.words", **more):
    return IcebergSource(kind="iceberg", table=table, catalog=catalog, **more)


def test_by_one_metadata_file(lake, tmp_path):
    first = lake.table.metadata_location.removeprefix(f"file://{tmp_path}/")
    lake.table.append(words(4))
    assert take(tmp_path, source(path=first))[0] == [1, 2, 3]
    newest = Path(lake.table.metadata_location.removeprefix("file://"))
    packed = newest.with_name(newest.name.replace(".metadata.json", ".gz.metadata.json"))
    packed.write_bytes(gzip.compress(newest.read_bytes()))
    assert take(tmp_path, source(path=str(packed.relative_to(tmp_path))))[0] == [1, 2, 3, 4]


def test_the_newest_is_the_one_with_the_highest_number(lake, tmp_path):
    folder = tmp_path / "lake/sales/words/metadata"
    (first,) = folder.glob("00001-*.metadata.json")
    for number in range(4, 13):
        lake.table.append(words(number))
    (folder / "version-hint.text").write_text("1")
    (folder / "v9.metadata.json").write_bytes(first.read_bytes())
    assert take(tmp_path, source())[0] == list(range(1, 13)), "10 comes after 9"


@pytest.mark.parametrize("path", ["lake/nowhere", "lake/sales"])
def test_a_folder_without_a_table(lake, tmp_path, path):
    with pytest.raises(NotFound) as caught:
        take(tmp_path, source(path=path))
    assert caught.value.code == "iceberg_unknown"


def test_metadata_that_are_none(lake, tmp_path):
    (tmp_path / "lake/sales/words/metadata/00009-x.metadata.json").write_text('{"format-version": 2}')
    with pytest.raises(InvalidInput) as caught:
        take(tmp_path, source())
    assert caught.value.code == "iceberg_damaged"


def test_files_where_nothing_reads(lake, tmp_path):
    path = Path(lake.table.metadata_location.removeprefix("file://"))
    told = json.loads(path.read_text())
    told["snapshots"][0]["manifest-list"] = "hdfs://name/lake/list.avro"
    path.write_text(json.dumps(told))
    with pytest.raises(Refused, match="hdfs://") as caught:
        take(tmp_path, source())
    assert caught.value.code == "iceberg_unreadable"


def test_by_a_catalog_in_a_database(lake, tmp_path):
    catalog = {"kind": "sql", "url": "sqlite:///lake/catalog.db"}
    ids, _, cursor = take(tmp_path, by_catalog(catalog))
    assert ids == [1, 2, 3]
    lake.table.append(words(4))
    assert take(tmp_path, by_catalog(catalog), cursor)[0] == [4]
    for unknown in (by_catalog(catalog, "sales.orders"), by_catalog({**catalog, "name": "other"})):
        with pytest.raises(NotFound) as caught:
            take(tmp_path, unknown)
        assert caught.value.code == "iceberg_unknown"


def test_in_a_bucket_by_path_and_by_a_rest_catalog(tmp_path):
    with object_store(tmp_path, catalog=True) as store:
        access = {"s3.endpoint": store.endpoint, "s3.access-key-id": KEY, "s3.secret-access-key": SECRET}
        lake = RestCatalog(
            "lake", uri=store.catalog, warehouse="s3://lake", credential=f"{KEY}:{SECRET}",
            **{**access, "s3.region": "us-east-1", "oauth2-server-uri": f"{store.catalog}/v1/oauth/tokens"},
        )  # fmt: skip
        lake.create_namespace("sales")
        table = lake.create_table("sales.words", WORDS)
        table.append(words(1, 2))
        storage = {"endpoint": store.endpoint, "allow_http": True, "patience_seconds": 1, **KEYS}
        catalog = {
            "kind": "rest", "url": store.catalog, "warehouse": "s3://lake",
            "auth": {**CLIENT, "token_url": f"{store.catalog}/v1/oauth/tokens", "scope": "catalog", "send": "body"},
        }  # fmt: skip
        for spec in (
            IcebergSource(kind="iceberg", path="s3://lake/sales/words", storage=storage),
            by_catalog(catalog, storage=storage),
        ):
            secrets = KnownSecrets({"KEY": KEY, "SECRET": SECRET}, tmp_path)
            ids, _, cursor = take(tmp_path, spec, secrets=secrets)
            assert ids == sorted(table.scan().to_arrow()["id"].to_pylist())
            table.append(words(len(ids) + 1))
            assert take(tmp_path, spec, cursor, secrets)[0] == [len(ids) + 1]
            wrong = KnownSecrets({"KEY": KEY, "SECRET": "wrong"}, tmp_path)
            with pytest.raises(Forbidden) as caught:
                take(tmp_path, spec, secrets=wrong)
            assert caught.value.code == ("iceberg_forbidden" if spec.path else "credentials_refused")
            assert "wrong" not in str(caught.value)
        with pytest.raises(NotFound, match="orders"):
            take(tmp_path, by_catalog(catalog, "sales.orders", storage=storage), secrets=secrets)
        _read_with_keys_of_a_catalog(tmp_path, table, store)
    with pytest.raises(Transient) as caught:
        take(tmp_path, IcebergSource(kind="iceberg", path="s3://lake/sales/words", storage=storage), secrets=secrets)
    assert caught.value.code == "iceberg_unreachable"


def _read_with_keys_of_a_catalog(home, table, store):
    """A catalog gives keys with the table; those that it gave first have expired."""
    from tests.servers.rest import rest_service

    def loaded(secret):
        told = {
            "metadata-location": table.metadata_location, "metadata": json.loads(table.metadata.model_dump_json()),
            "config": {"s3.endpoint": store.endpoint, "s3.access-key-id": KEY, "s3.secret-access-key": secret},
        }  # fmt: skip
        return says(json.dumps(told).encode())

    config = says(b'{"defaults": {}, "overrides": {"prefix": "a/b"}}')
    with rest_service() as service:
        service.faults.extend([hang_up, config, loaded("expired"), config, loaded(SECRET)])
        spec = by_catalog({"kind": "rest", "url": service.url}, storage={"allow_http": True})
        assert take(home, spec)[0] == sorted(table.scan().to_arrow()["id"].to_pylist())
        assert [asked[0] for asked in service.asked[1:3]] == [
            "/v1/config", "/v1/a/b/namespaces/sales/tables/words",
        ]  # fmt: skip


def test_answers_of_a_catalog_that_are_none(tmp_path, service):
    spec = by_catalog(
        {"kind": "rest", "url": service.url, "warehouse": "w", "auth": {"kind": "bearer", "token": {"env": "T"}}}
    )
    secrets = KnownSecrets({"T": "tok-123"}, tmp_path)
    reader = open_reader(spec, Place(tmp_path, tmp_path, secrets))
    faults = [
        (says(b"<html>", media="text/html"), InvalidInput, "iceberg_catalog_invalid"),
        (status(403, body={"error": {"message": "tok-123 may not"}}), Forbidden, "credentials_refused"),
        (status(419), Forbidden, "credentials_refused"),
        (status(406), InvalidInput, "web_refused"),
    ]
    for fault, family, code in faults:
        service.faults.append(fault)
        with pytest.raises(family) as caught:
            reader.discover()
        assert caught.value.code == code
        assert "tok-123" not in str(caught.value)
    config = says(b"{}")
    service.faults.extend([config, says(b'{"metadata": {"format-version": 2}}')])
    with pytest.raises(InvalidInput) as caught:
        reader.discover()
    assert caught.value.code == "iceberg_damaged"
    assert service.asked[-1][0] == "/v1/namespaces/sales/tables/words"
