from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from drivetrain.access.actors import read_actors, write_actors
from drivetrain.access.keys import Signer, create_signer
from drivetrain.core.artifacts import (
    Dataset,
    Estimate,
    Features,
    GateResult,
    Model,
    Release,
    Report,
    SplitPart,
)
from drivetrain.core.digest import FileDigest, digest_bytes, digest_of
from drivetrain.core.lineage import Code
from drivetrain.core.model import Environment
from drivetrain.core.roles import Actor, Role
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve, release
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.golden import Golden

COLUMNS = Schema((Column("age", ColumnType.INTEGER), Column("income", ColumnType.NUMBER)))
GOLDEN = Golden(np.eye(2), np.array([0.25, 0.75]))
AUC = Estimate("roc_auc", 0.87, 0.86, 0.88, 900)
GATES = (
    GateResult("roc_auc", "pass", AUC, ">= 0.8", ""),
    GateResult("latency", "pass", Estimate("p99_ms", 0.3, 0.2, 0.4, 200), "<= 5 ms", "", timed=True),
)
FAILED = GateResult("fairness age", "fail", Estimate("gap", 0.31, 0.25, 0.37, 900), "<= 0.2", "")
BROKEN = GateResult("safety", "fail", None, "no code in the graph", "the graph does not load")


@dataclass(frozen=True)
class World:
    """A catalog with everything a release is made of, and people who may sign it."""

    catalog: Catalog
    signers: dict[str, Signer]
    project: ProjectState
    model: Model
    report: Report

    @property
    def actors(self) -> dict[str, Actor]:
        return read_actors(self.catalog.home / "actors.yaml")

    def but(self, **changes: object) -> World:
        return replace(self, **changes)

    def release(self, signer: str = "mia", override: str = "") -> Release:
        return release(
            self.project, self.model, self.report, self.signers[signer], self.catalog, self.actors, override=override
        )

    def approve(self, made: Release, signer: str = "ada", comment: str = "") -> Release:
        return approve(made, self.signers[signer], comment, self.catalog, self.actors)

    def folder(self, made: Release) -> Path:
        return self.catalog.folder(made.ref)


def _make_model(catalog: Catalog) -> Model:
    dataset = Dataset("loans", 3, digest_of("loans"), 1000, 2, COLUMNS)
    sql = (FileDigest("features/spine.sql", digest_bytes(b"select 1"), 8),)
    parts = (SplitPart("train", 800, 50), SplitPart("test", 200, 12))
    features = Features("risk", 1, digest_of("f"), "id", "bad", None, COLUMNS, parts, sql, (dataset.ref,))
    files = {
        "model.onnx": bytes(range(256)),
        "environment.json": msgspec.json.encode(Environment("3.11.9", ("numpy==2.4.0",))),
        "training.json": b"{}",
    }
    model = Model("risk", digest_of("m"), "xgboost", AUC, digests(files), (features.ref,))
    write_folder(catalog.folder(model.ref), files)
    for artifact in (dataset, features, model):
        catalog.put(artifact)
    return model


def make_report(catalog: Catalog, model: Model, *gates: GateResult) -> Report:
    """A report folder and its artefact, in the catalog."""
    proof = {"gates": [gate for gate in gates if not gate.timed], "golden": digests(GOLDEN.files())}
    content = msgspec.json.encode(proof)
    verdict = "fail" if any(gate.verdict == "fail" for gate in gates) else "pass"
    made = Report("risk", digest_bytes(content), verdict, (AUC,), gates, (model.ref, *model.parents))
    measured = {"measurements.json": msgspec.json.encode(gates), "report.html": b"<!doctype html>"}
    write_folder(catalog.folder(made.ref), {"report.json": content, **measured, **GOLDEN.files()})
    catalog.put(made)
    return made


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of everybody's private keys."""
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def signers(keys: Path) -> dict[str, Signer]:
    roles = {
        "mia": Role.ML_ENGINEER, "max": Role.ML_ENGINEER,
        "ada": Role.AI_ENGINEER, "abe": Role.AI_ENGINEER,
        "eve": Role.AUDITOR,
    }  # fmt: skip
    return {name: create_signer(keys, name, role) for name, role in roles.items()}


@pytest.fixture
def worlds(signers: dict[str, Signer]) -> Iterator[Callable[[Path], World]]:
    """Makes worlds, each in a folder of its own."""
    with ExitStack() as stack:

        def make(home: Path) -> World:
            home.mkdir(exist_ok=True)
            write_actors(home / "actors.yaml", {name: signer.actor for name, signer in signers.items()})
            catalog = stack.enter_context(Catalog(home))
            model = _make_model(catalog)
            project = ProjectState("risk", {"drivetrain.yaml": b"project: risk\n"}, Code("0" * 40, None))
            return World(catalog, signers, project, model, make_report(catalog, model, *GATES))

        yield make


@pytest.fixture
def world(worlds: Callable[[Path], World], tmp_path: Path) -> World:
    return worlds(tmp_path / "risk")
