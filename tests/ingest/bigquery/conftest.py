"""One emulator of BigQuery for the tests of a process; each has tables of its own."""

import pytest
from tests.servers.bigquery import bigquery

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.sources.warehouses import BigQuerySource
from drivetrain.ingest.reading import Batch, open_reader

_TABLES = iter(range(1_000_000))
SECRETS = KnownSecrets({"TOKEN": "tok-123"}, None)


@pytest.fixture(scope="session")
def _running(tmp_path_factory):
    with bigquery(tmp_path_factory.mktemp("bigquery")) as running:
        yield running


@pytest.fixture
def service(_running):
    yield _running
    _running.faults.clear()
    _running.asked.clear()
    _running.always = None


class Shop:
    """A table of one test."""

    def __init__(self, service, columns="id INT64, word STRING"):
        self.service, self.name = service, f"words_{next(_TABLES)}"
        service.run(f"CREATE TABLE shop.{self.name} ({columns})")

    def add(self, *rows):
        self.service.run(f"INSERT INTO shop.{self.name} VALUES {', '.join(rows)}")

    def source(self, **options):
        found = {"kind": "bigquery", "table": f"shop.{self.name}", **self.service.options, **options}
        found = {name: value for name, value in found.items() if value is not None}
        return BigQuerySource.model_validate(found)


def take(home, spec, cursor="", secrets=SECRETS):
    """The ids, what they do, and the cursor behind them."""
    ids, changes = [], []
    for item in open_reader(spec, Place(home, home / "cache", secrets)).read(cursor):
        if isinstance(item, Batch):
            ids += [int(value) for value in item.rows["id"].to_pylist()]
            changes.append(str(item.change))
        else:
            cursor = item.cursor
    return ids, changes, cursor
