from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import BaselineGate, Bound, ChampionGate, GatesSpec
from drivetrain.core.task import Task
from drivetrain.ops.metrics import measure
from drivetrain.testing.parcels import parcel_graph
from drivetrain.validate.quality import (
    accuracy,
    average_precision,
    baseline,
    champion,
    cost,
    coverage,
    log_loss,
    macro_f1,
    mae,
    r2,
    rmse,
    roc_auc,
)


@pytest.mark.parametrize("gate", [roc_auc, average_precision, log_loss])
def test_a_metric_is_measured_on_the_test_rows_with_its_interval(world, gate):
    name = gate.__name__
    evidence = world.evidence(GatesSpec(**{name: Bound(min=0.0)}))
    (result,) = gate(evidence).results
    assert result.measured.value == pytest.approx(measure(name, world.evidence(GatesSpec()).truth, evidence.score))
    assert result.measured.low < result.measured.value < result.measured.high
    assert result.measured.rows == 1_600


def test_a_bound_between_the_interval_and_the_value_fails_only_when_sure(world):
    model = world.model()
    measured = world.evidence(GatesSpec(), model).metrics["roc_auc"]
    between = (measured.low + measured.value) / 2
    lenient = roc_auc(world.evidence(GatesSpec(roc_auc=Bound(min=between)), model))
    strict = roc_auc(world.evidence(GatesSpec(roc_auc=Bound(min=between, sure=True)), model))
    assert [finding.results[0].verdict for finding in (lenient, strict)] == ["pass", "fail"]


def test_cost_is_that_of_the_decisions(world):
    evidence = world.evidence(GatesSpec(cost=Bound(max=0.5)))
    missed, alarms = evidence.truth & (evidence.score < 0.25), ~evidence.truth & (evidence.score >= 0.25)
    (result,) = cost(evidence).results
    assert result.measured.value == pytest.approx((3 * missed.sum() + alarms.sum()) / 1_600)
    assert result.verdict == "pass"
    assert cost(world.evidence(GatesSpec(cost=Bound(max=0.1)))).results[0].verdict == "fail"


def test_cost_without_a_cost_matrix_cannot_be_measured(world):
    model = world.model(lambda content: replace(content, decision=replace(content.decision, false_positive=None)))
    with pytest.raises(InvalidInput, match="no costs to measure"):
        cost(world.evidence(GatesSpec(cost=Bound(max=1)), model))


def test_a_model_that_knows_nothing_is_no_better_than_the_base_rate(world):
    assert baseline(world.evidence(GatesSpec())).results[0].verdict == "pass"
    ignorant = world.wrong_model((0.0, 0.0, 0.0, 0.0, 0.0))
    (result,) = baseline(world.evidence(GatesSpec(), ignorant)).results
    assert result.verdict == "fail"
    assert result.measured.low <= 0


def test_a_small_gain_over_the_base_rate_is_not_enough_when_more_is_asked(world):
    assert baseline(world.evidence(GatesSpec(baseline=BaselineGate(min_gain=0.5)))).results[0].verdict == "fail"


def test_without_a_champion_the_gate_passes_and_says_why(world):
    (result,) = champion(world.evidence(GatesSpec())).results
    assert (result.verdict, result.measured) == ("pass", None)
    assert "no champion" in result.detail


def test_a_model_surely_worse_than_the_champion_fails_and_the_other_way_round_passes(world):
    good, bad = world.model(), world.wrong_model((0.0, -0.5, 0.3, -0.4, 0.2))
    (worse,) = champion(world.evidence(GatesSpec(), bad, champion=good)).results
    (better,) = champion(world.evidence(GatesSpec(), good, champion=bad)).results
    assert (worse.verdict, better.verdict) == ("fail", "pass")
    assert worse.measured.value == pytest.approx(-better.measured.value)
    assert str(good.ref) in worse.detail


def test_the_whole_interval_decides_against_the_champion(world):
    good, near = world.model(), world.wrong_model((-1.6, -0.4, 0.3, -0.4, 0.2))
    gain = champion(world.evidence(GatesSpec(), near, champion=good)).results[0].measured
    assert gain.low < gain.value
    between = -(gain.low + gain.value) / 2
    spec = GatesSpec(champion=ChampionGate(tolerance=max(0.0, between)))
    assert champion(world.evidence(spec, near, champion=good)).results[0].verdict == "fail"
    wide = GatesSpec(champion=ChampionGate(tolerance=-gain.low + 1e-9))
    assert champion(world.evidence(wide, near, champion=good)).results[0].verdict == "pass"


def test_a_champion_that_takes_a_column_that_is_gone_is_named(world, own_world, loans):
    old = world.model()
    now = own_world(loans.drop_columns(["since"]))
    files = {file.name: file.read_bytes() for file in world.catalog.folder(old.ref).iterdir()}
    evidence = now.evidence(GatesSpec(), now.keep(files), champion=now.keep(files))
    with pytest.raises(InvalidInput, match="no longer hold since"):
        champion(evidence)


def test_scores_are_those_of_the_model(world):
    evidence = world.evidence(GatesSpec())
    assert np.allclose(evidence.score, evidence.content.expected, atol=1e-12)


@pytest.mark.parametrize("gate", [accuracy, macro_f1, log_loss])
def test_classes_are_measured_on_the_test_rows(carriers, gate):
    name = gate.__name__
    evidence = carriers.evidence(GatesSpec(**{name: Bound(min=0.0)}))
    (result,) = gate(evidence).results
    assert result.measured.value == pytest.approx(measure(name, evidence.truth, evidence.answer))
    assert result.detail == "on 800 test rows of 3 classes"


@pytest.mark.parametrize("gate", [r2, rmse, mae])
def test_numbers_are_measured_on_the_test_rows(days, gate):
    name = gate.__name__
    evidence = days.evidence(GatesSpec(**{name: Bound(min=0.0)}))
    (result,) = gate(evidence).results
    assert result.measured.value == pytest.approx(measure(name, evidence.truth, evidence.answer))
    assert result.measured.rows == 800


def test_coverage_is_the_share_of_truths_in_their_interval(days):
    def narrow(content):
        interval = content.interval
        low, high = (tuple(0.5 * end for end in ends) for ends in (interval.low, interval.high))
        return replace(content, interval=replace(interval, low=low, high=high))

    spec = GatesSpec(coverage=Bound(min=0.85, max=0.95))
    (honest,) = coverage(days.evidence(spec)).results
    (boastful,) = coverage(days.evidence(spec, days.model(narrow))).results
    assert (honest.verdict, boastful.verdict) == ("pass", "fail")
    assert boastful.measured.value < 0.7
    assert "90% were promised" in honest.detail


def test_a_model_of_classes_is_held_against_their_base_rates(carriers):
    (result,) = baseline(carriers.evidence(GatesSpec())).results
    assert result.verdict == "pass"
    assert "the base rates of the training rows" in result.detail
    flat = carriers.model(lambda content: replace(content, graph=parcel_graph(Task.CLASSES, _classes(content), 0.0)))
    assert baseline(carriers.evidence(GatesSpec(), flat)).results[0].verdict == "fail"


def test_a_model_of_numbers_is_held_against_the_mean(days):
    evidence = days.evidence(GatesSpec())
    (result,) = baseline(evidence).results
    mean = evidence.train.label.mean()
    gain = np.sqrt(np.mean((evidence.truth - mean) ** 2)) - measure("rmse", evidence.truth, evidence.answer)
    assert result.measured.value == pytest.approx(gain)
    assert f"{mean:.4g}" in result.detail


def _classes(content):
    return content.signature.classes


def _knowing(content, classes):
    signature = replace(content.signature, classes=classes)
    return replace(content, signature=signature, graph=parcel_graph(Task.CLASSES, classes))


def test_a_champion_is_held_against_by_the_names_of_its_classes(carriers):
    spec = GatesSpec(champion=ChampionGate(metric="log_loss"))
    mixed = carriers.model(lambda content: _knowing(content, tuple(reversed(_classes(content)))))
    (same,) = champion(carriers.evidence(spec, champion=mixed)).results
    assert (same.verdict, same.measured.value) == ("pass", pytest.approx(0.0, abs=1e-9))


def test_a_class_that_the_champion_does_not_know_is_said(carriers):
    poorer = carriers.model(lambda content: _knowing(content, ("bike", "lorry")))
    (result,) = champion(carriers.evidence(GatesSpec(), champion=poorer)).results
    assert result.verdict == "pass"
    assert result.measured.value > 0
    assert result.detail.endswith("new here: air")
    (worse,) = champion(carriers.evidence(GatesSpec(), poorer, carriers.model())).results
    assert worse.verdict == "fail"
    assert worse.detail.endswith("only the champion knows air")


def test_a_champion_of_another_task_is_not_compared(carriers, days):
    files = {file.name: file.read_bytes() for file in days.catalog.folder(days.model().ref).iterdir()}
    with pytest.raises(InvalidInput, match="answers `number`, this model `classes`"):
        champion(carriers.evidence(GatesSpec(), champion=carriers.keep(files)))


def test_a_model_of_another_task_than_the_features_is_not_judged(carriers, days):
    files = {file.name: file.read_bytes() for file in days.catalog.folder(days.model().ref).iterdir()}
    with pytest.raises(InvalidInput, match="answers `number`, and features/parcels@0 asks `classes`"):
        baseline(carriers.evidence(GatesSpec(), carriers.keep(files)))
