from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from drivetrain.core import plugins
from drivetrain.core.alarms import AlarmGate, AlarmPrices, FalseAlarmGate
from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.core.forecast import BacktestGate, SeriesGate
from drivetrain.core.items import RankingGate
from drivetrain.core.knowledge import RetrievalGate
from drivetrain.core.project import Bound, FairnessGate, GatesSpec, HookGate
from drivetrain.validate.gates import Finding, judge, planned, run_gates

ESTIMATE = Estimate("x", 0.5, 0.4, 0.6, 10)


@pytest.mark.parametrize(
    ("bound", "verdict"),
    [
        (Bound(min=0.5), "pass"),
        (Bound(min=0.51), "fail"),
        (Bound(max=0.5), "pass"),
        (Bound(max=0.49), "fail"),
        (Bound(min=0.4, max=0.6, sure=True), "pass"),
        (Bound(min=0.41, sure=True), "fail"),
        (Bound(max=0.59, sure=True), "fail"),
    ],
)
def test_a_bound_holds_the_number_or_when_sure_the_worse_end_of_its_interval(bound, verdict):
    assert judge("g", ESTIMATE, bound).verdict == verdict


def test_what_is_no_number_holds_no_bound():
    nothing = Estimate("x", float("nan"), float("nan"), float("nan"), 10)
    assert judge("g", nothing, Bound(min=0.0)).verdict == "fail"
    assert judge("g", nothing, Bound(max=0.0)).verdict == "fail"


def test_every_gate_of_the_spec_is_registered_and_no_other_name_is():
    asked = set(GatesSpec.model_fields) - {"card", "allow_code"}
    assert set(plugins.names("gates")) == asked | {"safety"}


def test_parity_and_safety_always_run_and_the_rest_when_set():
    bare = GatesSpec(baseline=None, champion=None, slices=None, robustness=None, latency=None, leakage=None, rules=None)
    assert planned(bare) == ("safety", "parity")
    hook = HookGate(hook="a.py:b", bound=Bound(min=0))
    full = GatesSpec(
        roc_auc=Bound(min=0), average_precision=Bound(min=0), log_loss=Bound(max=9), cost=Bound(max=9),
        calibration=Bound(max=1), fairness=(FairnessGate(column="x"),), custom={"mine": hook},
        accuracy=Bound(min=0), macro_f1=Bound(min=0), r2=Bound(min=0), rmse=Bound(max=9), mae=Bound(max=9),
        coverage=Bound(min=0), series=(SeriesGate(by="x", max=1),), false_alarms=FalseAlarmGate(max=1),
        alarms=AlarmGate(by="x", order="y", left="z", horizon=1, prices=AlarmPrices(inspection=1, repair=1, failure=1)),
        retrieval=RetrievalGate(min=0),
        backtest=BacktestGate(),
        ranking=(RankingGate(by="x", wanted="y", min=0),),
    )  # fmt: skip
    assert set(planned(full)) == set(plugins.names("gates"))


def house_rule(evidence):
    return Finding((GateResult("house", "fail", None, "no model on a Friday", "it is Friday"),))


def explode(evidence):
    return Finding((GateResult("house", "pass", ESTIMATE, "", f"{1 / 0}"),))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """Registers a gate of a plugin, as an installed distribution would."""
    installed = plugins._installed

    def register(name: str, function: str) -> None:
        def with_it(group: str, places: tuple[str, ...]) -> EntryPoints:
            point = EntryPoint(name, f"{__name__}:{function}", "drivetrain.gates")
            return EntryPoints((*installed(group, places), *([point] if group == "gates" else [])))

        monkeypatch.setattr(plugins, "_installed", with_it)

    return register


def test_an_installed_gate_runs_in_every_project(world, install):
    install("house", "house_rule")
    findings = dict(run_gates(world.evidence(GatesSpec(latency=None, slices=None))))
    assert list(findings)[-1] == "house"
    assert findings["house"].results[0].detail == "it is Friday"


def test_a_gate_that_raises_is_a_failed_gate_with_the_reason(world, install):
    install("house", "explode")
    findings = dict(run_gates(world.evidence(GatesSpec(latency=None, slices=None))))
    (result,) = findings["house"].results
    assert (result.verdict, result.measured) == ("fail", None)
    assert result.detail == "ZeroDivisionError: division by zero"
    assert findings["parity"].results[0].verdict == "pass"


def test_nothing_touches_a_model_file_that_is_not_safe(world):
    files = {file.name: file.read_bytes() for file in world.catalog.folder(world.model().ref).iterdir()}
    unsafe = world.keep(files | {"run.sh": b"#!/bin/sh"})
    evidence = world.evidence(GatesSpec(), unsafe)
    results = [result for _, finding in run_gates(evidence) for result in finding.results]
    assert {result.verdict for result in results} == {"fail"}
    assert {result.detail for result in results[1:]} == {"not run: the model file is not safe"}
    assert "scorer" not in evidence.__dict__
