"""The fraud pack: a made-up world, and from an empty folder to a live service whose windows are what the SQL says."""

import json
from collections import Counter
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import duckdb
import pytest
import yaml

import drivetrain as package
from drivetrain.client import Client
from drivetrain.core.artifacts import Dataset, Features, Report
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project
from drivetrain.engine.serving import Server
from drivetrain.engine.traffic import cases_to_send, predicted
from drivetrain.store.journal import roll
from drivetrain.store.tables import Table

from .test_credit import run

FLOOR = 0.70
SIMULATOR = Path(package.__file__).parent / "packs" / "fraud" / "simulator.py"


@pytest.fixture(scope="module")
def simulator():
    spec = spec_from_file_location("simulator", SIMULATOR)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shrink(home):
    """A tenth of the cards."""
    world = home / "simulator.py"
    sizes = "CARDS, SHOPS, WEB_SHOPS = "
    world.write_text(world.read_text().replace(f"{sizes}1500, 300, 60", f"{sizes}60, 40, 15"))


def small(folder):
    """The pack with a tenth of its cards, one quick learner, and gates that small numbers can pass."""
    run(folder, "init", "card-fraud", "--pack", "fraud")
    home = folder / "card-fraud"
    shrink(home)
    file = home / "drivetrain.yaml"
    whole = yaml.safe_load(file.read_text())
    winner = {"learner": "hist_gradient_boosting", "params": {"max_iter": 60}}
    whole["model"] |= {"candidates": [winner], "budget": {"trials": 1}}
    whole["gates"] = {
        "roc_auc": {"min": 0.7},
        "robustness": None,
        "slices": None,
        "baseline": None,
        "leakage": None,
        "latency": None,
    }
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    return home


def test_the_world_is_the_same_every_time_and_holds_what_its_page_promises(simulator):
    one, two = simulator.World(3), simulator.World(3)
    for world in (one, two):
        del world.cards[200:]
    paid = [payment for _, payment in one.make()]
    assert paid == [payment for _, payment in two.make()]
    patterns = Counter(payment["pattern"] for payment in paid)
    assert set(patterns) == {None, "stolen", "terminal", "testing", "takeover"}
    assert len({payment["payment"] for payment in paid}) == len(paid)
    assert all((payment["pattern"] is not None) == payment["fraud"] for payment in paid)
    moments = [payment["paid_at"] for payment in paid]
    assert moments == sorted(moments)
    assert all(0 <= (payment["known_at"] - payment["paid_at"]).days <= 10 for payment in paid if payment["fraud"])


def test_the_velocity_of_the_pack_is_kept_online(tmp_path):
    project = create_project(tmp_path / "card-fraud", "fraud", Settings())
    shrink(project.home)
    project.run("prepare")
    features = project.catalog.latest(Features, "card-fraud")
    assert features.windows is not None
    assert set(features.windows.names) == set(features.inputs.names)
    assert {column.name for column in features.windows.columns} >= {"card", "device", "shop", "amount", "check_failed"}
    assert [part.part for part in features.parts] == ["train", "test"]
    project.catalog.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_small_world_is_learned_released_and_served_as_the_sql_says(tmp_path):
    """Every window that was served equals the feature SQL over all payments, those that were sent included."""
    home = small(tmp_path)
    run(home, "run")
    run(home, "approve", "--as", "ai-engineer", "--comment", "read the model card")
    run(home, "deploy")
    project = package.open(home)
    with project.catalog as catalog:
        features = catalog.latest(Features, "card-fraud")
        cases = cases_to_send(catalog, project.spec.sources, features)
        inputs = cases.inputs.slice(0, 500)
        ready = catalog.state / "run" / "card-fraud.json"
        with (
            Server(project.server_command(port=0), ready) as server,
            Client(server.url, project.add_key("t")) as client,
        ):
            assert len(predicted(client, inputs)) == 500
        roll(catalog, "card-fraud")
        served = {
            row["entity"]: row["inputs"]
            for row in Table(catalog.table_path("predictions", "card-fraud")).read().to_pylist()
        }
        past = Table(catalog.table_path("datasets", "payments")).read(catalog.latest(Dataset, "payments").version)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("past", past)
        connection.register("sent", inputs)
        connection.execute("CREATE TABLE payments AS SELECT * FROM past UNION ALL BY NAME SELECT * FROM sent")
        sql = connection.sql((home / "features" / "velocity.sql").read_text()).to_arrow_table().to_pylist()
    offline = {row["payment"]: row for row in sql}
    assert len(served) == 500
    for name, row in served.items():
        for column, value in row.items():
            said = offline[name][column]
            assert value == (pytest.approx(said, rel=1e-6, abs=1e-6) if isinstance(said, float) else said), (
                name,
                column,
            )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_as_it_is_shipped_reaches_the_floor_and_finds_its_drift(tmp_path):
    said = json.loads(run(tmp_path, "demo", "--once", "--pack", "fraud", "--folder", "demo", "--json"))
    assert (said["steady"]["verdict"], said["drift"]["verdict"]) == ("steady", "drifted")
    project = package.open(tmp_path / "demo")
    with project.catalog as catalog:
        report = catalog.latest(Report, "card-fraud")
    precision = next(metric for metric in report.metrics if metric.name == "average_precision")
    assert (report.verdict, precision.value >= FLOOR) == ("pass", True)
    parity = next(gate for gate in report.gates if gate.gate == "parity")
    assert "every window, event by event, is what the SQL says" in parity.detail
