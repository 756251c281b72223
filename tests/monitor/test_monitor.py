"""The monitor through its door: real journals rolled into real tables, and what an engineer is told."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import Tampered
from drivetrain.core.project import MonitorSpec
from drivetrain.monitor.monitor import monitor


def alarms(drift):
    return [column.name for column in drift.columns if column.alarm]


def test_traffic_like_training_is_steady_and_says_how_to_see_more(world, rows):
    world.serve(*rows(1500, seed=2))
    drift = world.watch()
    assert (drift.verdict, drift.rows, drift.labelled, drift.performance) == ("steady", 1500, 0, ())
    assert alarms(drift) == []
    assert [column.name for column in drift.columns] == [*world.content.signature.names, "score"]
    assert "nothing to do" in drift.recommendation
    assert "POST /v1/labels" in drift.recommendation
    assert drift.parents == (world.deployment.ref, world.release.ref)


def test_the_same_predictions_make_the_same_report(world, rows):
    world.serve(*rows(400, seed=2))
    first, second = world.watch(), world.watch()
    assert first == second
    written = (world.folder(first) / "report.json").read_bytes()
    assert digest_bytes(written) == first.digest
    page = (world.folder(first) / "report.html").read_bytes()
    assert b"Drift of risk" in page
    assert b"https://" not in page.partition(b"<script>")[0]
    world.serve(*rows(10, seed=3))
    assert world.watch().digest != first.digest


def test_a_moved_column_is_named_and_the_others_are_not(world, rows, scored):
    inputs, _ = rows(1500, seed=2)
    inputs[:, 1] += 2
    world.serve(inputs, scored(inputs))
    drift = world.watch()
    assert drift.verdict == "drifted"
    assert alarms(drift) == ["late_payments", "score"]
    assert drift.recommendation.startswith("late_payments moved (PSI ")
    assert "`drivetrain run` retrains" in drift.recommendation


def test_drift_is_measured_as_by_hand(world, rows):
    inputs, score = rows(2000, seed=2)
    inputs[:1000, 3] = 2  # region: west
    world.serve(inputs, score)
    region = world.watch().columns[3]
    before = np.array(world.content.reference.inputs[3].counts)
    now = np.array([(inputs[:, 3] == code).sum() for code in (-1, 0, 1, 2)])
    p, q = before[1:] / before.sum(), now[1:] / now.sum()
    assert region.psi == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=1e-2)
    assert region.p_value == pytest.approx(stats.chi2_contingency([before[1:], now[1:]], correction=False).pvalue)
    assert region.alarm


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        (0, lambda values: np.where(np.arange(len(values)) % 2, np.nan, values), "income is missing in 5"),
        (0, lambda values: values * 1000, "income is outside what training saw in 96% of the rows"),
        (3, lambda values: np.where(values == 0, -1, values), "region is outside what training saw in"),
    ],
    ids=["missing", "wrong unit", "unknown text"],
)
def test_a_fault_at_the_source_is_told_from_a_change_of_the_world(world, rows, column, change, said):
    inputs, score = rows(1000, seed=2)
    inputs[:, column] = change(inputs[:, column])
    world.serve(inputs, score)
    drift = world.watch()
    assert drift.verdict == "drifted"
    assert said in drift.recommendation
    assert "fault at the source" in drift.recommendation


def test_a_large_change_of_few_rows_may_be_chance_and_is_no_alarm(world, rows):
    world.serve(*rows(25, seed=2))
    drift = world.watch(min_rows=25)
    assert max(column.psi for column in drift.columns) > 0.2
    assert (drift.verdict, alarms(drift)) == ("steady", [])


def test_a_sure_change_that_is_small_is_no_alarm_unless_asked_for(world, rows):
    inputs, score = rows(4000, seed=2)
    inputs[:, 0] *= 1.15
    world.serve(inputs, score)
    drift = world.watch()
    assert drift.columns[0].p_value < 1e-6
    assert drift.verdict == "steady"
    assert alarms(world.watch(max_psi=0.02)) == ["income"]


def test_missing_rates_are_told(world, rows):
    inputs, score = rows(1000, seed=2)
    inputs[:600, 4] = np.nan
    world.serve(inputs, score)
    since = world.watch().columns[4]
    assert (since.missing_before, since.missing_now, since.alarm) == (0.0, 0.6, True)


def test_a_score_that_moved_alone_is_told(world, rows):
    inputs, score = rows(1000, seed=2)
    world.serve(inputs, score / 2)
    drift = world.watch()
    assert alarms(drift) == ["score"]
    assert "though no single input did" in drift.recommendation


@pytest.mark.parametrize("served", [0, 1, 199])
def test_too_few_rows_are_not_judged(world, rows, served):
    inputs, score = rows(1000, seed=2)
    inputs[:, 1] += 5
    if served:
        world.serve(inputs[:served], score[:served])
    drift = world.watch()
    assert (drift.verdict, drift.rows, alarms(drift)) == ("too_few_rows", served, [])
    assert f"{served} of the 200" in drift.recommendation
    assert (world.folder(drift) / "report.html").stat().st_size > 1000


def test_only_this_release_since_this_deployment_counts(world, rows, other_kind):
    inputs, score = rows(300, seed=2)
    strange = np.where(np.isnan(inputs), 0, inputs) + 0.5
    world.serve(inputs, score)
    # Another release says that an integer and a boolean are numbers: the lake widens the column for both.
    ref, widened = other_kind
    other = replace(world.release, digest=ref.version)
    world.serve(strange, score, release=other, signature=widened)
    drift = world.watch()
    assert (drift.rows, drift.verdict) == (300, "steady")
    world.deployment = replace(world.deployment, version=2, at=(world.clock + timedelta(seconds=1)).isoformat())
    assert world.watch().verdict == "too_few_rows"
    world.clock += timedelta(seconds=2)
    world.serve(*rows(250, seed=5))
    assert world.watch().rows == 250


def test_the_verdict_is_about_the_newest_window_and_the_timeline_about_everything(world, rows, scored):
    inputs, _ = rows(600, seed=2)
    inputs[:, 1] += 4
    world.serve(inputs, scored(inputs))
    world.serve(*rows(600, seed=3))
    assert world.watch(window_rows=1200).verdict == "drifted"
    drift = world.watch(window_rows=600)
    assert (drift.verdict, drift.rows) == ("steady", 600)
    found = json.loads((world.folder(drift) / "report.json").read_bytes())
    assert found["served"] == 1200
    late_payments = [stretch["psi"][1] > 1 for stretch in found["timeline"]]
    assert late_payments == [True, True, True, False, False, False]
    assert found["timeline"][0]["start"] == "2026-01-01T00:00:00.000Z"
    assert sum(stretch["rows"] for stretch in found["timeline"]) == 1200


def test_predictions_arrive_in_any_order(world, rows):
    inputs, score = rows(400, seed=2)
    half = world.clock
    world.clock += timedelta(seconds=200)
    world.serve(inputs[200:], score[200:])
    world.watch(min_rows=50)
    world.clock = half
    world.serve(inputs[:200], score[:200])
    found = json.loads((world.folder(drift := world.watch(window_rows=200)) / "report.json").read_bytes())
    assert drift.rows == 200
    assert (found["start"], found["end"]) == ("2026-01-01T00:03:20.000Z", "2026-01-01T00:06:39.000Z")


def test_nothing_is_alarmed_when_nothing_changed(world, rows):
    wrong = []
    for trial in range(12):
        world.serve(*rows(300, seed=100 + trial))
        wrong += alarms(world.watch(window_rows=300))
    assert wrong == []


def test_progress_tells_what_was_found(world, rows):
    notes = []
    world.serve(*rows(300, seed=2))
    monitor(
        MonitorSpec(), "risk", world.deployment, world.release, world.model, world.catalog,
        lambda done, total=None, note="": notes.append((done, total, note)),
    )  # fmt: skip
    assert notes[-1] == (4, 4, "steady")
    assert (1, 4, "300 new records") in notes


def test_a_changed_reference_is_refused(world, rows):
    world.serve(*rows(300, seed=2))
    file = world.catalog.folder(world.model.ref) / "reference.json"
    file.write_bytes(file.read_bytes().replace(b"income", b"incomf"))
    with pytest.raises(Tampered, match=r"reference\.json"):
        world.watch()


def test_a_window_that_could_never_be_judged_is_refused():
    with pytest.raises(ValueError, match="no window would ever be judged"):
        MonitorSpec(window_rows=100, min_rows=200)
