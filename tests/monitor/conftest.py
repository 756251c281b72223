"""A deployed release, its model folder and its journal, as the other stages leave them behind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from drivetrain.core.artifacts import Deployment, Endorsement, Estimate, Model, Release, Report, TrafficShare
from drivetrain.core.digest import digest_of
from drivetrain.core.model import (
    DecisionRule,
    Distribution,
    Environment,
    InputField,
    Reference,
    Signature,
    TrainingSummary,
)
from drivetrain.core.project import MonitorSpec
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.monitor.monitor import monitor
from drivetrain.ops.calibration import probability
from drivetrain.ops.drift import code_cuts, cut_points, distribution
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_folder
from drivetrain.store.models import ModelContent
from drivetrain.store.segments import LabelLog, LabelRecord, PredictionLog

LABELS = Distribution("label", (0.5,), (1, 1), 0)

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 86400.0
SIGNATURE = Signature(
    (
        InputField("income", ColumnType.NUMBER, True, low=0.0, high=60_000.0),
        InputField("late_payments", ColumnType.INTEGER, False, low=0.0, high=20.0),
        InputField("owner", ColumnType.BOOLEAN, False, low=0.0, high=1.0),
        InputField("region", ColumnType.TEXT, True, categories=("east", "north", "west")),
        InputField("since", ColumnType.DATE, True, low=15_000 * DAY, high=18_000 * DAY),
    ),
    "loan_id",
    "default",
)


def draw(rows, seed):
    """Packed rows [n, 5] and their scores, as training saw them."""
    generator = np.random.default_rng(seed)
    inputs = np.column_stack(
        [
            np.minimum(generator.lognormal(8.5, 0.6, rows), 60_000.0),
            np.where(generator.random(rows) < 0.8, 0, generator.poisson(2, rows)),
            generator.random(rows) < 0.4,
            generator.choice(3, rows, p=[0.5, 0.3, 0.2]),
            np.floor(generator.uniform(15_000, 18_000, rows)) * DAY,
        ]
    ).astype(np.float64)
    inputs[generator.random(rows) < 0.03, 0] = np.nan
    return inputs, score_of(inputs)


def score_of(inputs):
    income = np.nan_to_num(inputs[:, 0], nan=5000.0)
    return probability(0.8 * inputs[:, 1] - income / 8000 - 0.7 * inputs[:, 2] - 1.0)


def outcomes(score, seed):
    """Labels that come true as often as the scores say."""
    return np.random.default_rng(seed).random(len(score)) < score


def _model_content():
    inputs, score = draw(20_000, seed=1)
    cuts = [
        code_cuts(3) if field.type is ColumnType.TEXT else cut_points(column)
        for field, column in zip(SIGNATURE.inputs, inputs.T, strict=True)
    ]
    spread = tuple(
        distribution(field.name, column, cut)
        for field, column, cut in zip(SIGNATURE.inputs, inputs.T, cuts, strict=True)
    )
    reference = Reference(
        len(score), spread, distribution("score", score, cut_points(score)), LABELS, float(score.mean())
    )
    return ModelContent(
        graph=b"not run here",
        expected=np.zeros(1),
        signature=SIGNATURE,
        reference=reference,
        decision=DecisionRule("cost", 0.2, false_positive=1.0, false_negative=4.0),
        training=TrainingSummary("roc_auc", 0, "cv", (), (), "", ""),
        environment=Environment("3.11", ()),
    )


class World:
    """One service: what it answers, what its callers tell it later, and what the monitor says."""

    def __init__(self, home):
        self.catalog = Catalog(home)
        self.content = _model_content()
        files = self.content.files()
        self.model = Model("risk", digest_of(1), "xgboost", Estimate("roc_auc", 0.8, 0.79, 0.81, 9), (), ())
        self.model = replace(self.model, files=write_folder(self.catalog.folder(self.model.ref), files))
        proof = (Estimate("roc_auc", 0.80, 0.78, 0.82, 4000), Estimate("log_loss", 0.42, 0.40, 0.44, 4000))
        self.report = Report("risk", digest_of(2), "pass", proof, (), (self.model.ref,))
        self.release = self.make_release(3)
        self.deployment = Deployment(
            "risk", 1, "local", (TrafficShare(self.release.ref, 1.0),), "ada", START.isoformat(), (self.release.ref,)
        )
        for artifact in (self.model, self.report, self.release, self.deployment):
            self.catalog.put(artifact)
        self.clock = START
        self.served = 0

    def make_release(self, number):
        signed = Endorsement("ada", "ml-engineer", "k", START.isoformat())
        return Release("risk", digest_of(number), "pass", "", signed, None, (self.model.ref, self.report.ref))

    def serve(self, inputs, score, *, release=None, signature=SIGNATURE):
        """Answer these rows, one a second; gives the prediction ids."""
        journal = self.catalog.journal_path("risk")
        log = PredictionLog(journal, (release or self.release).ref, signature)
        records = np.zeros(len(score), dtype=log.dtype)
        ids = [f"p{self.served + number:07d}" for number in range(len(score))]
        records["id"], records["score"], records["row"] = ids, score, inputs
        records["decision"] = score >= self.content.decision.threshold
        first = round(self.clock.timestamp() * 1e6)
        records["at"] = first + np.arange(len(score)) * 1_000_000
        records["caller"] = log.caller("app")
        log.append(records)
        log.close()
        self.served += len(ids)
        self.clock += timedelta(seconds=len(ids))
        return ids

    def tell(self, ids, labels, *, later=timedelta(0)):
        """Outcomes arrive."""
        log = LabelLog(self.catalog.journal_path("risk"))
        at = self.clock + later
        log.append([LabelRecord(str(name), bool(label), at, "app") for name, label in zip(ids, labels, strict=True)])
        log.close()

    def watch(self, **settings):
        """What the monitor says."""
        spec = MonitorSpec(**settings)
        return monitor(spec, "risk", self.deployment, self.release, self.model, self.catalog)

    def folder(self, drift):
        return self.catalog.folder(drift.ref)


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.catalog.close()


@pytest.fixture(scope="session")
def rows():
    return draw


@pytest.fixture(scope="session")
def scored():
    return score_of


@pytest.fixture(scope="session")
def labels():
    return outcomes


@pytest.fixture(scope="session")
def signature():
    return SIGNATURE


@pytest.fixture(scope="session")
def other_kind():
    """The ref of another release, and a signature that says an integer and a boolean are numbers."""
    changed = ("late_payments", "owner")
    fields = tuple(
        replace(field, type=ColumnType.NUMBER) if field.name in changed else field for field in SIGNATURE.inputs
    )
    return Ref(Kind.RELEASE, "risk", "0" * 12), replace(SIGNATURE, inputs=fields)
