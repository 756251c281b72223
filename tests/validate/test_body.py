from __future__ import annotations

import json

from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.core.project import CardSpec
from drivetrain.core.refs import Kind, Ref
from drivetrain.store.pages import Bars, Chart, Mark, Table
from drivetrain.validate.body import ReportBody, Section


def _body(value: float) -> ReportBody:
    gate = GateResult("latency", "pass", Estimate("p99", value, 0, 1, 9), "at most 5", f"{value} ms", timed=True)
    table = Table("t", ("a", "b"), ((Mark("bad", "x"), 1 / 3),))
    return ReportBody(
        name="risk", verdict="pass", model=Ref(Kind.MODEL, "risk", "ab"), model_digest="ab",
        features=Ref(Kind.FEATURES, "risk", "0"), features_digest="cd", champion=None, parts=(), card=CardSpec(),
        metrics=(Estimate("roc_auc", 0.1 + 0.2, 0.25, float("nan"), 10),), gates=(gate,),
        sections=(Section("g", (table,), (Chart("c", (Bars("b", ("x",), (0.5,)),)),)),),
    )  # fmt: skip


def test_a_report_does_not_tell_machines_apart():
    assert _body(1.0).encode() == _body(2.0).encode()


def test_a_report_is_json_with_rounded_numbers_and_no_nan():
    said = json.loads(_body(1.0).encode(), parse_constant=lambda name: 1 / 0)
    assert said["metrics"] == [{"name": "roc_auc", "value": 0.3, "low": 0.25, "high": None, "rows": 10}]
    assert said["gates"][0]["detail"] == "see measurements.json"
    assert said["sections"][0]["tables"][0]["rows"] == [[{"mood": "bad", "text": "x"}, 0.33333333]]
    assert said["card"] == {"purpose": "", "users": "", "limits": []}
