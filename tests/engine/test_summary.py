from dataclasses import replace

import pytest

from drivetrain.core.artifacts import (
    ColumnDrift,
    Dataset,
    Decision,
    Deployment,
    DriftReport,
    Endorsement,
    Estimate,
    Features,
    GateResult,
    Model,
    Release,
    Report,
    Review,
    SplitPart,
    TrafficShare,
)
from drivetrain.core.changes import SourceChange
from drivetrain.core.refs import Ref
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.engine.summary import summary

AUC = Estimate("roc_auc", 0.868, 0.86, 0.876, 30000)
INPUTS = Schema((Column("age", ColumnType.INTEGER),))
PARTS = (SplitPart("train", 80, 8), SplitPart("test", 20, 2))
GATES = (GateResult("roc_auc", "pass", AUC, ">= 0.86", ""), GateResult("latency", "fail", None, "", ""))
MIA = Endorsement("mia", "ml-engineer", "k", "t")
ALEX = Endorsement("alex", "ai-engineer", "l", "t")
REVIEW = Review("loans", "d", "", (SourceChange("dropped", "age", "integer"),), (), ())
RELEASE, OTHER, THIRD = (Ref.parse(f"release/risk@{version}") for version in ("abc", "def", "123"))


@pytest.mark.parametrize(
    ("artifact", "line"),
    [
        (Dataset("loans", 0, "d", 1500, 0, INPUTS), "1,500 rows, none bad"),
        (Dataset("loans", 0, "d", 1497, 3, INPUTS), "1,497 rows, 3 bad, quarantined"),
        (REVIEW, "- age integer: waits for a second person"),
        (replace(REVIEW, decision=Decision("accept", ALEX, "")), "- age integer: accepted by alex"),
        (Features("risk", 0, "d", "id", "late", None, INPUTS, PARTS, (), ()), "1 inputs, train 80, test 20"),
        (Model("risk", "d", "xgboost", AUC, (), ()), "xgboost, cross-validated roc_auc 0.8680 [0.8600, 0.8760]"),
        (Model("risk", "d", "code", AUC, (), ()), "code, on the training rows roc_auc 0.8680 [0.8600, 0.8760]"),
        (
            Report("risk", "d", "fail", (AUC,), GATES, ()),
            "roc_auc 0.8680 [0.8600, 0.8760], 1 of 2 gates passed, failed: latency",
        ),
        (Release("risk", "d", "pass", "", MIA, None, ()), "signed by mia, not yet approved"),
        (Release("risk", "d", "pass", "", MIA, ALEX, ()), "signed by mia, approved by alex"),
        (
            Deployment("risk", 1, "local", (TrafficShare(RELEASE, 1.0),), "alex", "t", ()),
            "local: release/risk@abc 100%",
        ),
        (
            Deployment(
                "risk",
                2,
                "local",
                (TrafficShare(RELEASE, 0.93), TrafficShare(OTHER, 0.07)),
                "alex",
                "t",
                (),
                (TrafficShare(THIRD, 0.005),),
                CanaryRule(),
                "new bureau data",
            ),
            "local: release/risk@abc 93%, release/risk@def 7%, shadow release/risk@123 0.5% (new bureau data)",
        ),
        (
            DriftReport(
                "risk", "d", 5000, 10, (ColumnDrift("age", 0.4, 0.0, 0.0, 0.0, True),), (), "drifted", "do it", ()
            ),
            "drifted over 5,000 predictions: age",
        ),
    ],
)
def test_each_kind_has_its_line(artifact, line):
    assert summary(artifact) == line
