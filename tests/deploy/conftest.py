from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from drivetrain.access.actors import write_actors
from drivetrain.access.keys import Signer, create_signer
from drivetrain.core.artifacts import Estimate, Model, Release, Report
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
from drivetrain.core.roles import Actor, Role
from drivetrain.core.schema import ColumnType
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve, release
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.models import ModelContent

AUC = Estimate("roc_auc", 0.87, 0.86, 0.88, 900)


@dataclass(frozen=True)
class World:
    """A catalog, people, and a way to make approved releases of small models."""

    catalog: Catalog
    mia: Signer
    ada: Signer

    @property
    def actors(self) -> dict[str, Actor]:
        return {signer.actor.name: signer.actor for signer in (self.mia, self.ada)}

    def release(self, graph: bytes, *, approved: bool = True) -> Release:
        files = _content(graph).files()
        model = Model("risk", digest_of(digests(files)), "logistic", AUC, digests(files), ())
        write_folder(self.catalog.folder(model.ref), files)
        proof = msgspec.json.encode(model.ref)
        report = Report("risk", digest_bytes(proof), "pass", (AUC,), (), (model.ref,))
        write_folder(
            self.catalog.folder(report.ref), {"report.json": proof, "measurements.json": b"[]", "report.html": b"<p>"}
        )
        self.catalog.put(model)
        self.catalog.put(report)
        project = ProjectState("risk", {"drivetrain.yaml": b"project: risk\n"}, Code(None, None))
        made = release(project, model, report, self.mia, self.catalog, self.actors)
        if approved:
            made = approve(made, self.ada, "", self.catalog, self.actors)
        self.catalog.put(made)
        return made


def make_graph(answer: float = 0.5) -> bytes:
    """A graph that takes rows of two numbers and answers ``answer`` for each."""
    nodes = [
        helper.make_node("ReduceSum", ["row", "axes"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "answer"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("row", TensorProto.DOUBLE, ["n", 2])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["n"])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.DOUBLE, [], [0.0]),
            helper.make_tensor("answer", TensorProto.DOUBLE, [], [answer]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _content(graph: bytes) -> ModelContent:
    inputs = (InputField("age", ColumnType.INTEGER, True, typical=52.0), InputField("income", ColumnType.NUMBER, True))
    spread = tuple(Distribution(field.name, (1.0,), (4, 6), 0) for field in inputs)
    return ModelContent(
        graph=graph,
        expected=np.full(3, 0.5),
        signature=Signature(inputs, "id", "bad"),
        reference=Reference(10, spread, Distribution("score", (0.5,), (5, 5), 0), 0.1),
        decision=DecisionRule("threshold", 0.5),
        training=TrainingSummary("roc_auc", 0, "5-fold", (), (), "the only one", "none"),
        environment=Environment("3.11.9", ()),
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    mia = create_signer(tmp_path / "keys", "mia", Role.ML_ENGINEER)
    ada = create_signer(tmp_path / "keys", "ada", Role.AI_ENGINEER)
    write_actors(tmp_path / "actors.yaml", {"mia": mia.actor, "ada": ada.actor})
    with Catalog(tmp_path) as catalog:
        yield World(catalog, mia, ada)
