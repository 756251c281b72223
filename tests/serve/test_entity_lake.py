"""Entities in the lake: named by the case, by an input, by the event behind it; alarms of long ago; what is too old."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from drivetrain.core.entity_view import EntityView, FlagRule
from drivetrain.core.errors import NotFound
from drivetrain.core.model import InputField, Signature
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import Column, ColumnType
from drivetrain.core.task import Task
from drivetrain.core.windows import WindowPlan
from drivetrain.serve.entity_lake import EntityLake
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.segments import PredictionLog

FIELDS = (InputField("heat", ColumnType.NUMBER, nullable=True), InputField("line", ColumnType.INTEGER, nullable=True))
SIGNATURE = Signature(FIELDS, "reading", "left", Task.NUMBER)
EVENTS = replace(
    SIGNATURE,
    windows=WindowPlan("readings", "reading", "at", (Column("pump", ColumnType.TEXT),), (), (), 0),
)
RELEASE = Ref(Kind.RELEASE, "plant", "0123456789ab")
ALARMS = {"inspections": FlagRule(2, 3)}
YEAR_2001 = 1_000_000_000_000_000


class Plant:
    """The lake of a plant."""

    def __init__(self, catalog):
        self.catalog = catalog

    def record(self, said, signature=SIGNATURE, at=2_000_000_000_000_000):
        """Predictions: what is recorded as their entity, and whether they are decided true; ``line`` counts them."""
        log = PredictionLog(self.catalog.journal_path("plant"), RELEASE, signature)
        rows = np.zeros(len(said), log.dtype)
        for number, (row, (entity, flag)) in enumerate(zip(rows, said, strict=True)):
            row["id"], row["entity"] = f"{entity}-{number}".encode()[:20], entity.encode()
            row["decision"], row["at"], row["score"] = flag, at + number, 10.0 + number
            row["row"], row["outputs"] = (60.0 + number, number % 2), (9.0, 11.0)
        rows["caller"] = log.caller("ann")
        log.append(rows)
        log.close()
        roll(self.catalog, "plant")

    def lake(self, **view):
        return EntityLake(self.catalog, "plant", EntityView(**{"alarms": ALARMS, "until": "/"} | view))


@pytest.fixture
def plant(tmp_path):
    with Catalog(tmp_path) as catalog:
        yield Plant(catalog)


def flags(machine, text):
    return [(f"{machine}/{at}", flag == "x") for at, flag in enumerate(text)]


def test_before_the_first_prediction_there_is_nobody(plant):
    with pytest.raises(NotFound, match="nothing was predicted yet"):
        plant.lake().all()
    plant.record(flags("pump", "."))
    with pytest.raises(NotFound, match="nothing is recorded of pum"):
        plant.lake().one("pum", 10)


def test_the_lowest_is_the_worst_of_a_remaining_life(plant):
    plant.record([*flags("pump", "."), *flags("fan", ".")])
    assert plant.lake().all()["entity"].to_pylist() == ["fan", "pump"]
    assert plant.lake(worst_low=True).all()["entity"].to_pylist() == ["pump", "fan"]
    (row,) = plant.lake().all("fan").to_pylist()
    assert (row["score"], row["low"], row["high"]) == (11.0, 9.0, 11.0)


@pytest.mark.parametrize(("later", "stands"), [(".", True), ("...", False), ("x", True)])
def test_an_alarm_of_long_ago_is_known_where_only_the_newest_are_listed(plant, later, stands):
    plant.record([*flags("pump", "xx"), *flags("fan", "." * 30), *flags("pump", later)])
    listed = {row["entity"]: row["alarms"] for row in plant.lake(newest=10).all().to_pylist()}
    assert listed == {"pump": ["inspections"] if stands else [], "fan": []}
    assert plant.lake().one("pump", 1).alarms[0].raised is stands


def test_an_input_may_name_them(plant):
    plant.record(flags("pump", "..x"))
    lake = plant.lake(by="line", until="")
    assert {row["entity"]: row["predictions"] for row in lake.all().to_pylist()} == {"0": 2, "1": 1}
    assert lake.one("0", 10).inputs["heat"].to_pylist() == [60.0, 62.0]


def test_a_column_of_the_event_may_name_them(plant):
    events = [{"at": 5, "pump": 'a "b" \\', "rpm": 900.0}, {"at": 6, "pump": "c", "rpm": 910.0}]
    names = [f"reading-{at}\n{msgspec.json.encode(event).decode()}" for at, event in enumerate(events)]
    plant.record([(name, False) for name in names], EVENTS)
    lake = plant.lake(by="pump", until="")
    assert set(lake.all()["entity"].to_pylist()) == {'a "b" \\', "c"}
    found = lake.one('a "b" \\', 10)
    assert (found.total, found.inputs["rpm"].to_pylist()) == (1, [900.0])


def test_what_is_too_old_or_hidden_is_not_shown(plant):
    plant.record(flags("old", "xx"), at=YEAR_2001)
    plant.record(flags("pump", "xx"))
    lake = plant.lake(days=30, hide=("heat",))
    assert lake.all()["entity"].to_pylist() == ["pump"]
    with pytest.raises(NotFound):
        lake.one("old", 10)
    assert lake.one("pump", 10).inputs.column_names == ["line"]
