"""Alarms leave once when they are raised and once when they are cleared, however the predictions come in."""

import json

import numpy as np
import pytest
from tests.deliver.test_mqtt import listening, spec
from tests.servers.mosquitto import mosquitto

from drivetrain.core.credentials import NoSecrets
from drivetrain.core.entities import EntityPages
from drivetrain.core.errors import InvalidInput
from drivetrain.core.model import InputField, Signature
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.deliver.deliver import Delivery, Origin
from drivetrain.deliver.departing import Predictions
from drivetrain.deliver.leaving import Leaving
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.segments import PredictionLog
from drivetrain.store.tables import Table

SIGNATURE = Signature((InputField("heat", ColumnType.NUMBER, nullable=True),), "reading", "fails")
RELEASE = Ref(Kind.RELEASE, "plant", "0123456789ab")
WATCH = {"by": "split_part(entity, '/', 1)", "flags": 3, "of": 5}
COLUMNS = {"machine": "split_part(entity, '/', 1)", "reading": "entity", "alarm": "alarm"}


class Plant:
    """The lake of a plant. A machine's flags are written as text: ``..x`` are three readings, the last one flagged."""

    def __init__(self, catalog):
        self.catalog, self._count = catalog, {}

    def read(self, **flags):
        """Readings of several machines in turn, moved into the lake."""
        log = PredictionLog(self.catalog.journal_path("plant"), RELEASE, SIGNATURE)
        longest = max(map(len, flags.values()))
        turns = [(name, text[at]) for at in range(longest) for name, text in flags.items() if at < len(text)]
        rows = np.zeros(len(turns), log.dtype)
        for row, (name, flag) in zip(rows, turns, strict=True):
            self._count[name] = self._count.get(name, 0) + 1
            row["id"] = f"{name}-{self._count[name]}".encode()
            row["entity"] = f"{name}/{self._count[name]}".encode()
            row["decision"] = flag == "x"
        rows["caller"] = log.caller("ann")
        log.append(rows)
        log.close()
        roll(self.catalog, "plant")

    def leaving(self, pages=None, **options):
        outlet = FilesOutlet.model_validate(
            {"kind": "files", "path": "out", "alarm": WATCH, "columns": COLUMNS} | options
        )
        return Leaving("inspections", outlet, "reading", Predictions(self.catalog, "plant"), pages)

    def told(self, after=0, **options):
        until = Table(self.catalog.table_path("predictions", "plant")).state().commit.rows
        found = [row for parcel in self.leaving(**options).parcels(after, until) for row in parcel.rows.to_pylist()]
        return [(row["reading"], row["alarm"]) for row in found], until


@pytest.fixture
def plant(tmp_path):
    with Catalog(tmp_path) as catalog:
        yield Plant(catalog)


def test_an_alarm_is_told_once_when_raised_and_once_when_cleared(plant):
    plant.read(pump="..x.xx.xx.....x", fan="x.x............")
    assert plant.told()[0] == [("pump/6", "raised"), ("pump/14", "cleared")]


def test_it_makes_no_difference_in_how_many_deliveries_they_leave(plant):
    found, done = [], 0
    for pump, fan in (("..x", "xx"), (".x", "x"), ("x", "."), (".xx", "....."), ("....", "xxx"), (".x", "...")):
        plant.read(pump=pump, fan=fan)
        told, done = plant.told(done)
        found += told
    assert sorted(found) == sorted(plant.told()[0])
    assert len(found) == 5


def test_between_raised_and_cleared_a_flag_more_or_less_tells_nothing(plant):
    plant.read(pump="xxx..x..x..x.xxx")
    assert plant.told()[0] == [("pump/3", "raised")]


@pytest.mark.parametrize(("later", "told"), [("x", []), (".....", [("pump/8", "cleared")]), ("..xxx", [])])
def test_an_alarm_of_long_ago_is_neither_told_again_nor_forgotten(plant, monkeypatch, later, told):
    monkeypatch.setattr("drivetrain.deliver.leaving.LOOKED_AT", 10)
    plant.read(pump="xxx")
    plant.read(fan="." * 40)
    done = plant.told()[1]
    plant.read(pump=later)
    assert plant.told(done)[0] == told


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        (EntityPages(until="/"), [("pump/3", "raised")]),
        (EntityPages(), []),
        (EntityPages(by="heat"), [("pump/2", "raised")]),
        (None, []),
    ],
)
def test_without_by_it_is_the_alarm_of_the_entity_as_its_page_has_it(plant, pages, told):
    plant.read(pump="xxx", fan="x..")
    assert plant.told(alarm={"flags": 3, "of": 3}, pages=pages)[0] == told


def test_only_what_where_lets_through_leaves(plant):
    plant.read(pump="xxx.....", fan="xxx.....")
    assert plant.told(where="alarm = 'raised'")[0] == [("pump/3", "raised"), ("fan/3", "raised")]


def test_a_dead_letter_is_the_same_alarm_again(plant):
    plant.read(pump="xxx.....")
    parcel = plant.leaving().these([8])
    assert parcel.rows.to_pylist() == [{"machine": "pump", "reading": "pump/8", "alarm": "cleared"}]
    assert plant.leaving().newest().to_pylist() == parcel.rows.to_pylist()


def test_without_columns_the_alarm_leaves_beside_what_was_predicted(plant):
    plant.read(pump="xxx")
    (parcel,) = plant.leaving(columns={}).parcels(0, 3)
    assert {"alarm", "reading", "score", "decision"} <= set(parcel.rows.column_names)


@pytest.mark.parametrize(
    ("watch", "words"),
    [
        (WATCH | {"by": "machine"}, "machine"),
        (WATCH | {"by": "entity) FROM lake; --"}, r"statement|syntax"),
    ],
)
def test_a_machine_that_nothing_names_is_refused(plant, watch, words):
    plant.read(pump="xxx")
    with pytest.raises(InvalidInput, match=words) as caught:
        plant.leaving(alarm=watch)
    assert caught.value.where == "outlets.inspections.alarm.by"


def test_an_alarm_reaches_the_broker_once_however_often_is_delivered(plant, tmp_path):
    with mosquitto(tmp_path / "broker") as broker, listening(broker.port) as listener:
        outlet = spec(broker, topic="plant/{machine}/alarm", alarm=WATCH, columns=COLUMNS, history=True)
        taken = []
        for pump in ("xx", "x", "x....", "."):
            plant.read(pump=pump, fan="..")
            with Delivery("inspections", outlet, Origin("plant", "reading"), plant.catalog, NoSecrets()) as delivery:
                taken.append(delivery.run().taken)
        assert taken == [0, 1, 0, 1]
        told = [(message.topic, json.loads(message.payload)["alarm"]) for message in listener.heard()]
    assert told == [("plant/pump/alarm", "raised"), ("plant/pump/alarm", "cleared")]
