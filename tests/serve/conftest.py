from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from drivetrain.access.actors import write_actors
from drivetrain.access.api_keys import create_key
from drivetrain.access.keys import create_signer
from drivetrain.core.artifacts import Deployment, Estimate, Model, Report, TrafficShare
from drivetrain.core.digest import digest_bytes, digest_of
from drivetrain.core.lineage import Code
from drivetrain.core.model import (
    DecisionRule,
    Distribution,
    Environment,
    InputField,
    Reference,
    Signature,
    TrainingSummary,
)
from drivetrain.core.refs import Ref
from drivetrain.core.roles import Role
from drivetrain.core.schema import ColumnType
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve, release
from drivetrain.serve.loading import LoadedRelease, load
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.models import ModelContent

SERVICE = "loans"
SIGNATURE = Signature(
    (
        InputField("age", ColumnType.INTEGER, False, low=18, high=99, typical=40),
        InputField("income-per-month", ColumnType.NUMBER, True, low=0, high=1e5, typical=3000),
        InputField("member", ColumnType.BOOLEAN, True, typical=1),
        InputField("city", ColumnType.TEXT, True, categories=("Aarau", "Bern", "Chur")),
        InputField("born", ColumnType.DATE, True, typical=315532800),
        InputField("seen", ColumnType.TIMESTAMP, True, typical=1.7e9),
    ),
    "case",
    "default",
)
WEIGHTS = (-0.05, -0.0005, -0.4, 0.3, 1e-10, 1e-10)
TYPICAL = tuple(field.typical for field in SIGNATURE.inputs)
ROW = {
    "age": 25, "income-per-month": 1200.5, "member": False, "city": "Chur", "born": "1999-12-31",
    "seen": "2026-01-31T12:00:00Z",
}  # fmt: skip


def expected_score(row: list[float]) -> float:
    """What the graph below answers for a packed row."""
    values = np.where(np.isnan(row), TYPICAL, row)
    return float(1 / (1 + np.exp(-((values - TYPICAL) @ np.array(WEIGHTS)))))


def make_graph() -> bytes:
    """A logistic model that takes missing values as typical ones, and has no score for an income of 1e9 and more."""
    width = len(WEIGHTS)
    trap = [1e300 if field.name.startswith("income") else 0.0 for field in SIGNATURE.inputs]
    nodes = [
        helper.make_node("IsNaN", ["row"], ["missing"]),
        helper.make_node("Where", ["missing", "typical", "row"], ["filled"]),
        helper.make_node("Sub", ["filled", "typical"], ["moved"]),
        helper.make_node("Mul", ["filled", "trap"], ["huge"]),
        helper.make_node("Mul", ["huge", "zero"], ["nothing"]),
        helper.make_node("Add", ["moved", "nothing"], ["trapped"]),
        helper.make_node("MatMul", ["trapped", "weights"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
    ]
    constants = {"typical": TYPICAL, "trap": trap, "weights": WEIGHTS}
    graph = helper.make_graph(
        nodes,
        "logistic",
        [helper.make_tensor_value_info("row", TensorProto.DOUBLE, ["n", width])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["n"])],
        [
            helper.make_tensor("zero", TensorProto.DOUBLE, [], [0.0]),
            *(helper.make_tensor(name, TensorProto.DOUBLE, [width], value) for name, value in constants.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _content() -> ModelContent:
    spread = tuple(Distribution(name, (1.0,), (4, 6), 0) for name in SIGNATURE.names)
    return ModelContent(
        graph=make_graph(),
        expected=np.full(1, 0.5),
        signature=SIGNATURE,
        reference=Reference(10, spread, Distribution("score", (0.5,), (5, 5), 0), 0.1),
        decision=DecisionRule("threshold", 0.5),
        training=TrainingSummary("roc_auc", 0, "5-fold", (), (), "the only one", "none"),
        environment=Environment("3.11.9", ()),
    )


def _make_project(home: Path) -> None:
    """A project whose model was released, approved and deployed."""
    auc = Estimate("roc_auc", 0.87, 0.86, 0.88, 900)
    mia = create_signer(home / "keys", "mia", Role.ML_ENGINEER)
    ada = create_signer(home / "keys", "ada", Role.AI_ENGINEER)
    actors = {"mia": mia.actor, "ada": ada.actor}
    write_actors(home / "actors.yaml", actors)
    files = _content().files()
    model = Model("loans", digest_of(digests(files)), "logistic", auc, digests(files), ())
    proof = msgspec.json.encode(model.ref)
    report = Report("loans", digest_bytes(proof), "pass", (auc,), (), (model.ref,))
    with Catalog(home) as catalog:
        write_folder(catalog.folder(model.ref), files)
        pages = {"report.json": proof, "measurements.json": b"[]", "report.html": b"<p>"}
        write_folder(catalog.folder(report.ref), pages)
        catalog.put(model)
        catalog.put(report)
        project = ProjectState("loans", {"drivetrain.yaml": b"project: loans\n"}, Code(None, None))
        made = release(project, model, report, mia, catalog, actors)
        made = approve(made, ada, "", catalog, actors)
        catalog.put(made)
        shares = (TrafficShare(made.ref, 1.0),)
        catalog.put(Deployment(SERVICE, 1, "local", shares, "ada", "2026-01-01T00:00:00", (made.ref,)))


@dataclass
class Running:
    """A server process, and somebody with a key to ask it."""

    process: subprocess.Popen[str]
    home: Path
    url: str
    client: httpx.Client

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def predict(self, *rows: dict[str, object], **more: object) -> httpx.Response:
        return self.client.post("/v1/predict", json={"rows": rows, **more})

    def kill(self) -> None:
        """End it as a power switch would, and wait until its recorder has ended too."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(home: Path, *options: str) -> Iterator[Running]:
    """A server of the project in ``home``; it is ready on entering."""
    with Catalog(home) as catalog:
        key = create_key(catalog.state, f"caller-{os.urandom(4).hex()}")
    command = [sys.executable, "-m", "drivetrain.serve", "--home", str(home), "--service", SERVICE, "--port", "0"]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        assert " answers at " in line, (home / "server.log").read_text()
        url = line.split(" answers at ")[1].split(",")[0]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
            yield Running(process, home, url, client)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("template")
    _make_project(home)
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A project of one's own with a deployed release."""
    return Path(shutil.copytree(template, tmp_path / "project"))


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers of one's own project, with command line options."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(running(home, *options))


@pytest.fixture(scope="session")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the default settings that many tests ask."""
    home = Path(shutil.copytree(template, tmp_path_factory.mktemp("shared") / "project"))
    with running(home) as found:
        yield found


@pytest.fixture(scope="session")
def loaded(template: Path) -> LoadedRelease:
    with Catalog(template) as catalog:
        return load(catalog, SERVICE)


@pytest.fixture
def ref(loaded: LoadedRelease) -> Ref:
    return loaded.ref
