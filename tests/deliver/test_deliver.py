"""Predictions leave: which, as what, from where on; and what happens to the lake meanwhile."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from threading import Event

import fastavro
import numpy as np
import pytest
import sqlalchemy as sa
from tests.servers.schema_registry import schema_registry

from drivetrain.connect.schema_registry import Registry
from drivetrain.core.connections import SchemaRegistry
from drivetrain.core.credentials import NoSecrets
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.model import InputField, Signature
from drivetrain.core.outlets.databases import SqlOutlet
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.deliver.avro_rows import AvroRows
from drivetrain.deliver.deliver import Delivery, Origin
from drivetrain.deliver.departing import Predictions
from drivetrain.deliver.json_rows import as_json, rows_of
from drivetrain.deliver.leaving import Leaving
from drivetrain.deliver.outbox import Outbox
from drivetrain.deliver.templates import Template
from drivetrain.store.catalog import Catalog
from drivetrain.store.compaction import Compaction
from drivetrain.store.journal import roll
from drivetrain.store.segments import PredictionLog
from drivetrain.store.tables import Table

SIGNATURE = Signature((InputField("age", ColumnType.INTEGER, nullable=True),), "loan", "bad")
OLDER = Signature((InputField("age", ColumnType.NUMBER, nullable=True),), "loan", "bad")
CLASSES = replace(SIGNATURE, task=Task.CLASSES, classes=("card", "loan"))
NUMBER = replace(SIGNATURE, task=Task.NUMBER)
RELEASE = Ref(Kind.RELEASE, "risk", "0123456789ab")


class World:
    """A project's lake, and an outlet into a table of SQLite."""

    def __init__(self, home, catalog):
        self.home, self.catalog = home, catalog
        self.options = {"kind": "sql", "url": "sqlite:///there.db", "table": "decisions", "create": True}

    def predict(self, first, count, signature=SIGNATURE, service="risk"):
        log = PredictionLog(self.catalog.journal_path(service), RELEASE, signature)
        rows = np.zeros(count, log.dtype)
        rows["id"] = [b"p%06d" % number for number in range(first, first + count)]
        rows["at"] = 1_700_000_000_000_000 + np.arange(first, first + count)
        rows["score"] = np.arange(first, first + count) / 100
        rows["decision"] = rows["score"] >= 0.05
        rows["caller"] = log.caller("ann")
        rows["entity"] = [b"%d" % (number % 7) for number in range(first, first + count)]
        rows["row"] = 30.5 if signature is OLDER else 30
        log.append(rows)
        log.close()

    def delivery(self, service="risk", **options):
        spec = SqlOutlet.model_validate({"history": True, "deadline_seconds": 0.2, **self.options, **options})
        return Delivery("warehouse", spec, Origin(service, "loan_id"), self.catalog, NoSecrets())

    def run(self, **options):
        with self.delivery(**options) as delivery:
            return delivery.run()

    def there(self, what="*", rest="ORDER BY prediction_id"):
        with closing(sa.create_engine("sqlite:///" + str(self.home / "there.db")).connect()) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {what} FROM decisions {rest}")]

    def ids(self):
        return [int(name[1:]) for (name,) in self.there("prediction_id")]

    @property
    def predictions(self):
        return Table(self.catalog.table_path("predictions", "risk"))


@pytest.fixture
def world(tmp_path):
    with Catalog(tmp_path) as catalog:
        yield World(tmp_path, catalog)


def test_without_columns_a_prediction_leaves_as_it_is(world):
    world.predict(4, 2)
    assert world.run().taken == 2
    columns = "prediction_id, loan_id, score, decision, release, predicted_at"
    assert world.there(columns) == [
        ("p000004", "4", 0.04, 0, str(RELEASE), "2023-11-14 22:13:20.000004"),
        ("p000005", "5", 0.05, 1, str(RELEASE), "2023-11-14 22:13:20.000005"),
    ]


def say(world, signature, *outputs):
    """Predictions with these outputs, a row each."""
    log = PredictionLog(world.catalog.journal_path("risk"), RELEASE, signature)
    rows = np.zeros(len(outputs), log.dtype)
    made = len(world.predictions.read()) if world.predictions.exists() else 0
    rows["id"] = [b"p%06d" % (made + at) for at in range(len(outputs))]
    rows["at"] = 1_700_000_000_000_000
    rows["caller"] = log.caller("ann")
    rows["outputs"] = outputs
    log.append(rows)
    log.close()
    roll(world.catalog, "risk")


def test_outputs_leave_as_score_and_decision_do(world):
    say(world, CLASSES, [1], [0], [1])
    assert world.run().taken == 3
    assert world.there("prediction_id, class") == [("p000000", "loan"), ("p000001", "card"), ("p000002", "loan")]
    with world.delivery() as delivery:
        assert "class" in [column.name for column in delivery.check().columns]


def test_outputs_are_named_in_expressions(world):
    columns = {"prediction_id": "prediction_id", "width": "high - low", "middle": "CAST((low + high) / 2 AS INTEGER)"}
    say(world, NUMBER, [10, 30], [0, 1], [5, 25])
    assert world.run(where="high - low > 10", columns=columns).taken == 2
    assert world.there("prediction_id, width, middle") == [("p000000", 20.0, 20), ("p000002", 20.0, 15)]


def test_outputs_of_another_task_are_null(world):
    world.predict(0, 1)
    roll(world.catalog, "risk")
    say(world, CLASSES, [0])
    say(world, NUMBER, [1, 2])
    columns = {name: name for name in ("prediction_id", "class", "low")}
    assert world.run(columns=columns).taken == 3
    assert world.there("class, low") == [(None, None), ("card", None), (None, 1.0)]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_outputs_leave_as_files(world, form):
    say(world, CLASSES, [1], [0])
    (world.home / "out").mkdir()
    columns = {"id": "prediction_id", "is": "class"}
    spec = FilesOutlet(kind="files", path="out", format=form, history=True, columns=columns)
    with Delivery("files", spec, Origin("risk", "loan_id"), world.catalog, NoSecrets()) as delivery:
        assert delivery.run().taken == 2
    (file,) = [path for path in (world.home / "out").rglob(f"*.{form}*") if path.is_file()]
    assert [word for word in ("loan", "card") if word in file.read_text()] == ["loan", "card"]


def test_outputs_go_into_messages_their_topics_and_their_schemas(world):
    """The parts of the outlets for Kafka, MQTT, webhooks and tickets that see a row."""
    say(world, CLASSES, [1])
    spec = FilesOutlet(kind="files", path="out", columns={"id": "prediction_id", "is": "class"})
    with closing(Leaving("queue", spec, "loan_id", Predictions(world.catalog, "risk"))) as leaving:
        (parcel,) = leaving.parcels(0, 1)
    (row,) = rows_of(parcel)
    assert Template("intents/{is}", "topic").value(row) == "intents/loan"
    assert as_json(row) == b'{"id":"p000000","is":"loan"}'
    with schema_registry() as registry:
        fields = [{"name": "id", "type": "string"}, {"name": "is", "type": "string"}]
        registry.register("t-value", 7, {"type": "record", "name": "Said", "fields": fields})
        encoder = AvroRows(Registry(SchemaRegistry(url=registry.url), NoSecrets(), 0), "t-value")
        encoder.check(row)
        schema = fastavro.parse_schema({"type": "record", "name": "Said", "fields": fields})
        assert fastavro.schemaless_reader(BytesIO(encoder.encode(row)[5:]), schema, None) == row


def test_where_chooses_and_columns_say_as_what(world):
    world.predict(0, 20)
    columns = {
        "prediction_id": "prediction_id",
        "who": "CAST(loan_id AS INTEGER) + 100 -- numbered over there from 100",
        "flag": "CASE WHEN decision THEN 'Y' ELSE 'N' END",
        "day": "CAST(predicted_at AS DATE)",
        "older": "inputs.age + 1",
        "exact": "CAST(score AS DECIMAL(9, 4))",
        "all": "inputs",
    }
    done = world.run(where="decision AND score < 0.1 OR entity = '2' -- and the second", columns=columns)
    assert (done.predictions, done.taken) == (20, 7)
    assert world.ids() == [2, 5, 6, 7, 8, 9, 16]
    assert world.there('who, flag, day, older, exact, "all"')[1] == (105, "Y", "2023-11-14", 31, 0.05, '{"age":30}')
    assert world.run(where="true", columns=columns).predictions == 0, "what was passed over is not looked at again"


def test_a_new_outlet_starts_with_what_comes_from_now_on(world):
    world.predict(0, 5)
    first = world.run(history=False)
    assert (first.taken, first.left) == (0, 5)
    world.predict(5, 2)
    second = world.run(history=False)
    assert (second.taken, second.left, world.ids()) == (2, 0, [5, 6])


def test_an_outlet_that_is_older_than_the_service_sends_all(world):
    assert world.run(history=False).taken == 0
    world.predict(0, 3)
    assert world.run(history=False).taken == 3


def test_merging_and_retyping_the_lake_moves_no_cursor(world):
    made = 0
    for part in range(1, 6):
        world.predict(made, part, OLDER if part == 4 else SIGNATURE)
        made += part
        roll(world.catalog, "risk")
        if part in (2, 5):
            Compaction([world.predictions]).wait()
        if part != 3:
            assert world.run().taken == (part if part != 4 else 7)
    assert world.ids() == list(range(made))
    assert len(Table(world.catalog.table_path("deliveries", "warehouse")).read()) == made


def test_a_table_of_predictions_that_was_made_anew_is_delivered_from_its_start(world):
    world.predict(0, 3)
    world.run()
    for name in ("lake/predictions/risk", "journal/risk"):
        (world.catalog.state / name).rename(world.home / f"away-{name[:4]}")
    assert world.run().taken == 0
    world.predict(10, 2)
    assert (world.run().taken, world.ids()) == (2, [0, 1, 2, 10, 11])


def test_another_service_is_a_new_start(world):
    world.predict(0, 3)
    world.run()
    world.predict(10, 3, service="other")
    done = world.run(service="other", history=False)
    assert (done.taken, done.left) == (0, 3)
    world.predict(13, 1, service="other")
    assert (world.run(service="other", history=False).taken, world.ids()) == (1, [0, 1, 2, 13])


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("skore", 'Referenced column "skore" not found'),
        ("inputs.height", 'Could not find key "height"'),
        ("score +", "syntax error"),
        ("score, decision", "more than one expression"),
        ("score) FROM prediction; SELECT (1", "more than one statement"),
        ("count(*)", "GROUP BY"),
        ("sum(score) OVER ()", "window function"),
        ("(SELECT max(score) FROM prediction)", "subquery"),
        ("(SELECT 1 FROM read_csv('/etc/passwd'))", "subquery"),
        ("at", "syntax error"),
    ],
)
def test_an_expression_that_is_none_is_refused_before_anything_is_sent(world, expression, said):
    world.predict(0, 3)
    columns = {"prediction_id": "prediction_id", "value": expression}
    for options, place in (({"columns": columns}, "columns.value"), ({"where": expression}, "where")):
        with pytest.raises(InvalidInput, match="outlet_sql_invalid") as caught:
            world.run(**options)
        assert said in caught.value.message
        assert caught.value.where == f"outlets.warehouse.{place}"
        assert "loan_id" in caught.value.hint
        assert "inputs.age" in caught.value.hint
    assert not (world.home / "there.db").exists()


def test_an_expression_that_fails_on_a_row_sends_nothing_of_it_and_loses_nothing(world):
    world.predict(0, 3)
    columns = {"prediction_id": "prediction_id", "wrong": "CAST(release AS INTEGER)"}
    with pytest.raises(InvalidInput, match="outlet_sql_failed") as caught:
        world.run(columns=columns)
    assert "TRY_CAST" in caught.value.hint
    assert world.run(columns=columns | {"wrong": "TRY_CAST(release AS INTEGER)"}).taken == 3


def test_a_type_that_cannot_leave_is_named(world):
    world.predict(0, 1)
    with pytest.raises(InvalidInput, match="outlet_type_unusable") as caught:
        world.run(columns={"prediction_id": "prediction_id", "age": "INTERVAL 3 DAYS"})
    assert caught.value.where == "outlets.warehouse.columns.age"


def test_it_stops_after_the_parcel_under_way(world):
    world.predict(0, 2500)
    stopped = Event()
    with world.delivery() as delivery:
        assert delivery.run(lambda *told: stopped.set(), stopped=stopped).taken == 1000
        assert delivery.run().taken == 1500


def test_two_at_once_are_one_too_many(world):
    world.predict(0, 2)
    with world.delivery() as one, world.delivery() as other:
        with one._alone(), pytest.raises(Transient, match="in_use"):
            other.run()
        assert one.run().taken == 2


def test_a_check_shows_how_the_newest_prediction_would_leave(world):
    with world.delivery(where="score < 0.02") as delivery:
        assert delivery.check().columns == ()
        world.predict(0, 5)
        checked = delivery.check()
    assert checked.said == "there is no table decisions yet; the first delivery makes it"
    shown = {column.name: column.value for column in checked.columns}
    assert (shown["prediction_id"], shown["decision"]) == ("p000001", "False")
    assert Outbox(world.catalog, "warehouse").cursor() is None


def test_a_lake_that_takes_no_commit_for_a_moment_doubles_no_entry(world, monkeypatch):
    world.predict(0, 3)
    append, failed = Table.append, []

    def full(table, rows, commit):
        if len(rows) and not failed:
            failed.append(True)
            raise OSError(28, "No space left on device")
        return append(table, rows, commit)

    monkeypatch.setattr(Table, "append", full)
    with world.delivery() as delivery:
        with pytest.raises(OSError, match="No space left"):
            delivery.run()
        assert delivery.run().taken == 3
    assert len(Table(world.catalog.table_path("deliveries", "warehouse")).read()) == 3
    assert world.ids() == [0, 1, 2]


def test_files_of_the_books_that_cannot_be_merged_hold_nothing_up(world, monkeypatch):
    wait = Compaction.wait

    def fails(compaction):
        wait(compaction)
        raise Transient("compaction_failed", "it ended")

    monkeypatch.setattr(Compaction, "wait", fails)
    monkeypatch.setattr("drivetrain.deliver.outbox._COMPACT_EVERY", 1)
    world.predict(0, 3)
    assert world.run().taken == 3


KILLED = """\
import os, signal, sys
from pathlib import Path
from tests.deliver.test_deliver import World
from drivetrain.store.catalog import Catalog

home = Path(sys.argv[1])
world = World(home, Catalog(home))
with world.delivery() as delivery:
    send = delivery._outlet.send
    def once(parcel):
        receipts = send(parcel)
        os.kill(os.getpid(), signal.SIGKILL)
    delivery._outlet.send = once
    delivery.run()
"""


def test_a_kill_between_sending_and_the_commit_sends_the_same_keys_again(world):
    world.predict(0, 1500)
    paths = {**os.environ, "PYTHONPATH": os.getcwd()}  # noqa: PTH109 - where pytest runs
    done = subprocess.run([sys.executable, "-c", KILLED, str(world.home)], env=paths, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(world.ids()) == 1000
    assert len(Table(world.catalog.table_path("deliveries", "warehouse")).read()) == 0
    world.predict(1500, 10)
    assert world.run().taken == 1510
    assert world.ids() == list(range(1510))
