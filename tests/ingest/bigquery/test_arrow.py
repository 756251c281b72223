"""The Storage Read API: streams that break, and who may not."""

import pytest
from tests.ingest.bigquery.conftest import Shop, take
from tests.servers.gate import gate_to

from drivetrain.core.errors import NotFound, Transient


def test_a_stream_that_breaks_goes_on_after_the_last_row(service, tmp_path):
    shop = Shop(service)
    filled = "SELECT id, REPEAT('x', 100) FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS id"
    service.run(f"INSERT INTO shop.{shop.name} {filled}")
    with gate_to(service.grpc) as door:
        spec = shop.source(cursor="id", read_by="arrow", storage_endpoint=f"http://127.0.0.1:{door.port}")
        cut = []

        def once():
            cut.append(door.passed)
            return False

        door.after(1_000_000, once)
        assert take(tmp_path, spec)[0] == list(range(1, 30_001))
        assert cut


def test_a_service_that_is_not_there(service, tmp_path):
    shop = Shop(service)
    shop.add("(1, 'one')")
    nowhere = shop.source(cursor="id", storage_endpoint="http://127.0.0.1:1", retry_seconds=0.3)
    with pytest.raises(Transient) as caught:
        take(tmp_path, nowhere)
    assert caught.value.code == "bigquery_unavailable"


def test_a_table_that_is_gone(service, tmp_path):
    shop = Shop(service)
    spec = shop.source(cursor="id", read_by="arrow")
    service.run(f"DROP TABLE shop.{shop.name}")
    with pytest.raises(NotFound):
        take(tmp_path, spec)
