from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.artifacts import Report
from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import Bound, CardSpec, FairnessGate, GatesSpec, LatencyGate, RobustnessGate, SliceGate
from drivetrain.ops.golden import golden_rows
from drivetrain.store.golden import golden_from
from drivetrain.store.models import read_model
from drivetrain.testing.borrowers import probability
from drivetrain.validate.validate import validate

SPEC = GatesSpec(
    roc_auc=Bound(min=0.8),
    cost=Bound(max=0.5),
    calibration=Bound(max=0.05),
    fairness=(FairnessGate(column="age", cuts=(45,), max=0.5),),
    slices=SliceGate(min_rows=200, max_drop=0.2),
    robustness=RobustnessGate(max_drop=0.2),
    latency=None,
    card=CardSpec(purpose="Find late loans.", users="Credit officers.", limits=("Not for firms.",)),
)


def _validate(world, spec=SPEC, model=None, champion=None, **rest) -> Report:
    return validate(spec, "risk", model or world.model(), world.features, champion, world.catalog, **rest)


def _folder(world, report):
    return {file.name: file.read_bytes() for file in world.catalog.folder(report.ref).iterdir()}


def test_a_good_model_passes_and_its_proof_lies_in_a_folder(world):
    model = world.model()
    report = _validate(world, model=model)
    files = _folder(world, report)
    assert report.verdict == "pass", [gate.detail for gate in report.failed]
    assert set(files) == {
        "report.json", "measurements.json", "report.html", "golden-rows.npy", "golden-scores.npy",
    }  # fmt: skip
    assert report.digest == digest_bytes(files["report.json"])
    assert report.parents == (model.ref, world.features.ref)
    assert [metric.name for metric in report.metrics] == [
        "roc_auc", "average_precision", "log_loss", "brier", "calibration error", "cost",
    ]  # fmt: skip
    assert all(metric.low < metric.value < metric.high for metric in report.metrics)


def test_the_golden_batch_is_what_the_model_answers_and_stands_in_the_digest(world):
    model = world.model()
    files = _folder(world, _validate(world, model=model))
    golden = golden_from(files, "here")
    assert golden.rows.shape == (64, 5)
    content = read_model(world.catalog.folder(model.ref))
    assert golden.rows.tobytes() == golden_rows(content.signature, content.reference).tobytes()
    assert golden.scores == pytest.approx(probability(golden.rows), abs=1e-9)
    listed = json.loads(files["report.json"])["golden"]
    assert [file["path"] for file in listed] == ["golden-rows.npy", "golden-scores.npy"]
    assert [file["sha256"] for file in listed] == [digest_bytes(files[file["path"]]) for file in listed]
    assert "scores the golden batch" in files["report.html"].decode()
    assert _folder(world, _validate(world, model=model))["golden-scores.npy"] == files["golden-scores.npy"]


def test_what_a_machines_speed_decides_stays_out_of_the_digest(world):
    model = world.model()
    spec = SPEC.model_copy(update={"latency": LatencyGate(p99_ms=10_000)})
    first, second = (_validate(world, spec, model=model) for _ in range(2))
    (timed,) = [gate for gate in second.gates if gate.timed]
    files = _folder(world, second)
    (kept,) = [gate for gate in json.loads(files["report.json"])["gates"] if gate["timed"]]
    (measured,) = json.loads(files["measurements.json"])
    assert first.digest == second.digest
    assert timed.measured is not None
    assert (kept["gate"], kept["verdict"], kept["measured"]) == ("latency", "pass", None)
    assert measured["measured"]["value"] == pytest.approx(timed.measured.value)


def test_one_failed_gate_makes_the_verdict(world):
    report = _validate(world, SPEC.model_copy(update={"roc_auc": Bound(min=0.99)}))
    assert report.verdict == "fail"
    assert [gate.gate for gate in report.failed] == ["roc_auc"]
    assert json.loads(_folder(world, report)["report.json"])["verdict"] == "fail"


def test_other_gates_make_another_report(world):
    model = world.model()
    other = SPEC.model_copy(update={"roc_auc": Bound(min=0.7)})
    assert _validate(world, model=model).digest != _validate(world, other, model=model).digest


def test_a_champion_is_named_in_the_report(world):
    champion = world.wrong_model((0.0, -0.5, 0.3, -0.4, 0.2))
    report = _validate(world, champion=champion)
    (gate,) = [gate for gate in report.gates if gate.gate == "champion"]
    assert gate.measured.low > 0
    said = json.loads(_folder(world, report)["report.json"])
    assert said["champion"]["version"] == champion.ref.version


def test_an_unsafe_model_is_reported_without_being_run(world):
    files = {file.name: file.read_bytes() for file in world.catalog.folder(world.model().ref).iterdir()}
    report = _validate(world, model=world.keep(files | {"model.onnx": b"nonsense"}))
    assert report.verdict == "fail"
    assert report.metrics == ()
    assert len(report.failed) == len(report.gates)
    files = _folder(world, report)
    page = files["report.html"].decode()
    assert set(files) == {"report.json", "measurements.json", "report.html"}, "there is no golden batch of it"
    assert json.loads(files["report.json"])["golden"] == []
    assert "golden batch" not in page
    assert "not a valid graph" in page
    assert "not run: the model file is not safe" in page


def test_features_without_an_input_of_the_model_fail_every_gate_that_scores(own_world, world, loans):
    files = {file.name: file.read_bytes() for file in world.catalog.folder(world.model().ref).iterdir()}
    now = own_world(loans.drop_columns(["since"]))
    report = _validate(now, model=now.keep(files))
    (auc,) = [gate for gate in report.gates if gate.gate == "roc_auc"]
    assert (auc.verdict, auc.measured) == ("fail", None)
    assert "no longer hold since" in auc.detail
    assert report.metrics == ()


def test_features_without_test_rows_are_refused(own_world, loans):
    world = own_world(loans.set_column(2, "split", pa.array(["train"] * loans.num_rows)))
    with pytest.raises(InvalidInput, match="no test rows"):
        _validate(world)


def test_a_test_part_with_one_class_fails_gates_with_the_reason(own_world, loans):
    late = np.array(loans["late"]) & (np.array(loans["split"]) == "train")
    world = own_world(loans.set_column(1, "late", pa.array(late)))
    report = _validate(world)
    assert report.verdict == "fail"
    assert all("labels are false" in gate.detail for gate in report.failed if gate.gate == "roc_auc")
    assert report.metrics == ()


def test_progress_is_told_gate_by_gate(world):
    told = []
    report = _validate(world, progress=lambda done, total=None, note="": told.append((done, total, note)))
    dones = [done for done, _, _ in told]
    assert dones == sorted(dones)
    assert told[-1][0] == told[-1][1]
    assert (1, told[0][1], "safety: pass") == told[0]
    assert told[-1][2] == f"pass: {len(report.gates)} of {len(report.gates)} gates"
