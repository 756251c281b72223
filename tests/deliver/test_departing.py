"""Hand-overs leave as tickets, forecasts and orders as rows, once each; what was forgotten stays."""

import csv
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from tests.servers.crm_writes import CrmWriter
from tests.servers.taking import running

from drivetrain.core.conversation import Memory
from drivetrain.core.credentials import NoSecrets, SecretRef
from drivetrain.core.errors import InvalidInput
from drivetrain.core.outlets.crm import CrmOutlet
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.deliver.deliver import Delivery, Origin
from drivetrain.deliver.outbox import Outbox
from drivetrain.store.catalog import Catalog
from drivetrain.store.conversations import Conversations, HandOver, Turn
from drivetrain.store.forecasts import ORDERS, Forecasts, Run

ZENDESK = {
    "kind": "crm", "system": "zendesk", "object": "tickets", "of": "hand_overs", "history": True,
    "auth": {"kind": "bearer", "token": {"env": "KEY"}},
    "fields": {"subject": "{subject}", "comment.body": "{transcript}", "priority": "{priority}", "tags": "{queue}"},
    "columns": {"subject": "queue || ': ' || message", "transcript": "transcript", "priority": "priority",
                "queue": "queue"},
}  # fmt: skip


class Key(NoSecrets):
    def get(self, ref: SecretRef) -> str:
        return "key"


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path) as opened:
        yield opened


@pytest.fixture
def kept(catalog):
    opened = Conversations(catalog.journal_path("desk"))
    yield opened
    opened.close()


def hand_over(kept, session, message="where is my parcel"):
    over = HandOver("front", "high", "order", message, {"email": "a@b.example"}, "widget", "release/desk@1", "p1")
    kept.add(session, "widget", Memory(turns=1), Turn(message, "A colleague takes over.", "p1", "order"), over)


def deliver(catalog, spec):
    with Delivery("tickets", spec, Origin("desk", "message_id"), catalog, Key()) as delivery:
        return delivery.run()


def test_a_hand_over_becomes_one_ticket(catalog, kept):
    with running(CrmWriter()) as crm:
        spec = CrmOutlet.model_validate({**ZENDESK, "url": crm.url})
        assert deliver(catalog, spec).taken == 0
        hand_over(kept, "s1")
        hand_over(kept, "s2", "second")
        assert deliver(catalog, spec).taken == 2
        assert deliver(catalog, spec).taken == 0
        first, second = (record.fields for record in crm.records)
        assert first["subject"] == "front: where is my parcel"
        assert first["comment"]["body"] == "person: where is my parcel\nservice: A colleague takes over."
        assert (second["priority"], second["external_id"]) == ("high", "s2")
        hand_over(kept, "s3")
        kept.forget("s3")
        hand_over(kept, "s4")
        assert deliver(catalog, spec).taken == 1
        assert [record.fields["external_id"] for record in crm.records] == ["s1", "s2", "s4"]
        outbox = Outbox(catalog, "tickets")
        assert len(outbox.told(["s1", "s4", "nobody"])) == 2
        assert outbox.told(["s3"]) == Outbox(catalog, "others").told(["s1"]) == ()


def test_all_columns_leave_where_none_are_named_and_expressions_may_name_them(catalog, kept, tmp_path):
    hand_over(kept, "s1")
    (tmp_path / "out").mkdir()
    told = {"kind": "files", "path": "out", "format": "jsonl", "of": "hand_overs", "history": True}
    assert deliver(catalog, FilesOutlet.model_validate(told)).taken == 1
    (file,) = (tmp_path / "out").iterdir()
    row = json.loads(file.read_text())
    assert (row["queue"], row["intent"], json.loads(row["slots"])) == ("front", "order", {"email": "a@b.example"})
    wrong = FilesOutlet.model_validate({**told, "where": "score > 0.5"})
    with pytest.raises(InvalidInput, match="score") as error:
        deliver(catalog, wrong)
    assert "transcript" in error.value.hint


def forecast(catalog, name, day, orders=True):
    """Two days of one item, from a day of January on, and what to order."""
    origin, series = date(2026, 1, day), "item/=bag"
    rows = [
        {
            "run": name, "release": "release/desk@1", "features": "features/desk@1",
            "made_at": datetime(2026, 1, day, tzinfo=UTC), "origin": origin, "level": "item", "series": series,
            "day": date(2026, 1, day + step), "step": step, "forecast": 5.0, "low": 4.0, "high": 6.0,
        }
        for step in (1, 2)
    ]  # fmt: skip
    order = {"run": name, "origin": origin, "series": series, "demand": 9.0, "safety_stock": 3.0, "reorder_point": 12.0}
    kept = pa.Table.from_pylist([order] if orders else [], ORDERS)
    Forecasts(catalog, "desk").add(Run(name, pa.Table.from_pylist(rows), kept))


def dropped(folder):
    return [row for file in sorted(folder.iterdir()) for row in csv.DictReader(file.read_text().splitlines())]


@pytest.mark.parametrize(("of", "each"), [("forecasts", 2), ("orders", 1)])
def test_every_run_of_a_forecast_leaves_once(catalog, tmp_path, of, each):
    (tmp_path / "out").mkdir()
    spec = FilesOutlet.model_validate({"kind": "files", "path": "out", "format": "csv", "of": of, "history": True})
    assert deliver(catalog, spec).taken == 0
    forecast(catalog, "b", 1)
    assert deliver(catalog, spec).taken == each
    forecast(catalog, "a", 5)
    assert [deliver(catalog, spec).taken for _ in range(2)] == [each, 0]
    rows = dropped(tmp_path / "out")
    assert [row["run"] for row in rows] == ["b"] * each + ["a"] * each
    assert {row["series"] for row in rows} == {"item/=bag"}


def test_a_forecast_without_orders_sends_none(catalog, tmp_path):
    (tmp_path / "out").mkdir()
    told = {"kind": "files", "path": "out", "format": "csv", "of": "orders", "history": True}
    forecast(catalog, "a", 1, orders=False)
    assert deliver(catalog, FilesOutlet.model_validate(told)).taken == 0
    forecast(catalog, "b", 2)
    chosen = {**told, "columns": {"item": "substr(series, 6)", "pieces": "ceil(reorder_point)"}, "where": "demand > 1"}
    assert deliver(catalog, FilesOutlet.model_validate(chosen)).taken == 1
    (row,) = dropped(tmp_path / "out")
    assert float(row["pieces"]) == 12
