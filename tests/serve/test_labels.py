"""``POST /v1/labels``, over HTTP."""

from datetime import UTC, datetime

import httpx
import pytest

from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import ROW

from .conftest import SERVICE, Running


def tell(server: Running, *labels: object) -> httpx.Response:
    return server.client.post("/v1/labels", json={"labels": labels})


def test_outcomes_reach_the_lake_with_their_time_and_caller(server: Running) -> None:
    before = datetime.now(UTC)
    one, two, three = (prediction["id"] for prediction in server.predict(ROW, ROW, ROW).json()["predictions"])
    answer = tell(
        server,
        {"prediction_id": one, "label": True, "at": "2026-02-01T00:00:00+02:00"},
        {"prediction_id": two, "label": False, "at": "2026-02-01T00:00:00"},
        {"prediction_id": three, "label": True},
    )
    assert (answer.status_code, answer.json()) == (200, {"recorded": 3})
    with Catalog(server.home) as catalog:
        roll(catalog, SERVICE)
        rows = Table(catalog.table_path("labels", SERVICE)).read().to_pylist()
    found = {row["prediction_id"]: (row["label"], row["at"], row["caller"]) for row in rows}
    assert found[one][:2] == (True, datetime(2026, 1, 31, 22, tzinfo=UTC))
    assert found[two][:2] == (False, datetime(2026, 2, 1, tzinfo=UTC))
    assert found[three][0]
    assert before <= found[three][1] <= datetime.now(UTC)
    assert found[one][2].startswith("caller-")


@pytest.mark.parametrize(
    ("label", "where"),
    [
        ({"label": True}, "labels[1].prediction_id"),
        ({"prediction_id": "a"}, "labels[1].label"),
        ({"prediction_id": "a", "label": 1}, "labels[1].label"),
        ({"prediction_id": "a\n", "label": True}, "labels[1].prediction_id"),
        ({"prediction_id": "", "label": True}, "labels[1].prediction_id"),
        ({"prediction_id": "x" * 33, "label": True}, "labels[1].prediction_id"),
        ({"prediction_id": "a", "label": True, "at": "today"}, "labels[1].at"),
        ({"prediction_id": "a", "label": True, "at": "0001-01-01T00:00:00+05:00"}, "labels[1].at"),
        ({"prediction_id": "a", "lable": True}, "labels[1].lable"),
        (7, "labels[1]"),
    ],
)
def test_a_mistake_refuses_all_and_names_the_label(server: Running, label: object, where: str) -> None:
    answer = tell(server, {"prediction_id": "never", "label": True}, label)
    assert (answer.status_code, answer.json()["error"]["where"]) == (400, where)
    with Catalog(server.home) as catalog:
        roll(catalog, SERVICE)
        path = catalog.table_path("labels", SERVICE)
        told = Table(path).read(columns=["prediction_id"]).column(0).to_pylist() if Table(path).exists() else []
    assert "never" not in told


def test_there_must_be_a_label_and_not_too_many(server: Running) -> None:
    assert tell(server).status_code == 400
    assert tell(server, *[{"prediction_id": "a", "label": True}] * 10_001).status_code == 413
