"""Classes and numbers, watched as yes and no are: traffic of a model whose errors are known, and of one that broke."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper
from scipy.stats import binom
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_absolute_error, r2_score, root_mean_squared_error

from drivetrain.core.artifacts import Deployment, Endorsement, Estimate, Model, Release, Report, TrafficShare
from drivetrain.core.digest import digest_of
from drivetrain.core.model import DecisionRule, Environment, InputField, Interval, Reference, Signature, TrainingSummary
from drivetrain.core.project import MonitorSpec
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import METRICS, Task
from drivetrain.monitor.columns import compare_columns
from drivetrain.monitor.monitor import monitor
from drivetrain.monitor.performance import measure_performance
from drivetrain.monitor.traffic import Traffic
from drivetrain.ops.conformal import fit_interval
from drivetrain.ops.drift import code_cuts, cut_points, distribution, label_cuts
from drivetrain.ops.intervals import bootstrap
from drivetrain.ops.saying import Saying
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import write_folder
from drivetrain.store.models import ModelContent
from drivetrain.store.tables import Commit, Table

START = datetime(2026, 1, 1, tzinfo=UTC)
CLASSES = ("billing", "delivery", "returns", "other")
WEIGHTS = np.array([[3.0, 0.0, -1.0, 0.5], [0.0, 3.0, 0.0, -0.5], [-1.0, 0.0, 3.0, 0.0]])
BIAS = np.array([0.8, 0.4, 0.0, -0.4])
FIELDS = tuple(InputField(name, ColumnType.NUMBER, True, low=-6.0, high=6.0) for name in ("heat", "load", "age"))
HAND_OVER = DecisionRule("hand_over", 0.6, 5.0, 1.0)
_REPORTS = 60
ALWAYS = DecisionRule("none", -1e300)


def draw(rows, seed):
    return np.random.default_rng(seed).normal(size=(rows, 3))


def answer_of(task, inputs):
    """What a perfect model answers: the true probabilities, or the true mean."""
    if task is Task.NUMBER:
        return 50 + 10 * inputs[:, 0] - 4 * inputs[:, 1]
    powers = np.exp(inputs @ WEIGHTS + BIAS)
    return powers / powers.sum(axis=1, keepdims=True)


def truth_of(task, inputs, seed):
    """What comes true of it."""
    generator = np.random.default_rng(seed)
    answer = answer_of(task, inputs)
    if task is Task.NUMBER:
        return answer + generator.normal(size=len(inputs)) * (3 + 2 * np.abs(inputs[:, 0]))
    return (answer.cumsum(axis=1) < generator.random(len(inputs))[:, None]).sum(axis=1)


def graph():
    """The perfect model of the classes."""
    nodes = [
        helper.make_node("MatMul", ["row", "weights"], ["sum"]),
        helper.make_node("Add", ["sum", "bias"], ["margins"]),
        helper.make_node("Softmax", ["margins"], ["score"], axis=1),
    ]
    made = helper.make_graph(
        nodes, "softmax",
        [helper.make_tensor_value_info("row", TensorProto.DOUBLE, ["n", 3])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["n", 4])],
        [
            helper.make_tensor("weights", TensorProto.DOUBLE, WEIGHTS.shape, WEIGHTS.ravel()),
            helper.make_tensor("bias", TensorProto.DOUBLE, BIAS.shape, BIAS),
        ],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(onnx.ModelProto.SerializeToString(model, deterministic=True))


def content_of(task, rule):
    """A model folder whose reference was drawn as its traffic will be."""
    signature = Signature(FIELDS, "case", "outcome", task, CLASSES if task is Task.CLASSES else ())
    inputs = draw(5000, seed=1)
    answer, truth = answer_of(task, inputs), truth_of(task, inputs, seed=2).astype(np.float64)
    interval = fit_interval(truth, answer, 0.9) if task is Task.NUMBER else None
    said = Saying(signature, rule, interval).say_alone(answer)
    reference = Reference(
        rows=len(inputs),
        inputs=tuple(distribution(field.name, x, cut_points(x)) for field, x in zip(FIELDS, inputs.T, strict=True)),
        score=distribution("score", said.score, cut_points(said.score)),
        label=distribution("outcome", truth, label_cuts(task, len(CLASSES), truth)),
        label_mean=float((truth == 0).mean() if task is Task.CLASSES else truth.mean()),
        outputs=tuple(
            distribution(field.name, x, code_cuts(len(field.categories)) or cut_points(x))
            for field, x in zip(signature.outputs, said.outputs.T, strict=True)
        ),
    )
    training = TrainingSummary("", 0, "cv", (), (), "", "")
    return ModelContent(
        graph(), np.zeros(1), signature, reference, rule, training, Environment("3.11", ()), interval=interval
    )


def reported(task):
    """What the report of the release says, of rows of its own."""
    inputs = draw(4000, seed=3)
    answer, truth = answer_of(task, inputs), truth_of(task, inputs, seed=4)
    return tuple(bootstrap(metric, truth, answer, rounds=50) for metric in METRICS[task])


@dataclass
class Desk:
    """One service and the tables of what it said and was told, written as the server's recorder writes them."""

    catalog: Catalog
    task: Task
    rule: DecisionRule

    def __post_init__(self):
        self.content = content_of(self.task, self.rule)
        model = Model("desk", digest_of(1), "blend", Estimate("accuracy", 0.8, 0.7, 0.9, 9), (), ())
        self.model = replace(model, files=write_folder(self.catalog.folder(model.ref), self.content.files()))
        self.report = Report("desk", digest_of(2), "pass", reported(self.task), (), (self.model.ref,))
        signed = Endorsement("ada", "ml-engineer", "k", START.isoformat())
        parents = (self.model.ref, self.report.ref)
        self.release = Release("desk", digest_of(3), "pass", "", signed, None, parents)
        shares = (TrafficShare(self.release.ref, 1.0),)
        self.deployment = Deployment("desk", 1, "local", shares, "ada", START.isoformat(), (self.release.ref,))
        for artifact in (self.model, self.report, self.release, self.deployment):
            self.catalog.put(artifact)
        self.served = 0

    def serve(self, inputs, answer=None, *, release=None, outputs=True):
        """Say something of these rows, one a second; gives the prediction ids."""
        signature = self.content.signature
        answer = answer_of(self.task, inputs) if answer is None else answer
        said = Saying(signature, self.rule, self.content.interval).say_alone(answer)
        ids = [f"p{self.served + number:07d}" for number in range(len(inputs))]
        at = [START + timedelta(seconds=self.served + number) for number in range(len(inputs))]
        self.served += len(ids)
        columns = {
            field.name: [CLASSES[int(code)] for code in values] if field.categories else values
            for field, values in zip(signature.outputs, said.outputs.T, strict=True)
        }
        struct = pa.StructArray.from_arrays([pa.array(x) for x in inputs.T], names=list(signature.names))
        release = release or str(self.release.ref)
        table = {
            "prediction_id": ids, "at": pa.array(at, pa.timestamp("us", tz="UTC")), "release": [release] * len(ids),
            "score": said.score, "decision": said.decision, **(columns if outputs else {}), "inputs": struct,
        }  # fmt: skip
        self._add("predictions", pa.table(table))
        return ids

    def tell(self, ids, labels):
        """Outcomes arrive: texts of classes, numbers, or whatever a caller takes for a label."""
        texts = self.task is Task.CLASSES and not isinstance(labels[0], str)
        at = pa.array([START + timedelta(days=30)] * len(ids), pa.timestamp("us", tz="UTC"))
        labels = [CLASSES[code] for code in labels] if texts else list(labels)
        self._add("labels", pa.table({"prediction_id": ids, "label": labels, "at": at, "caller": ["app"] * len(ids)}))

    def _add(self, kind, rows):
        table = Table(self.catalog.table_path(kind, "desk"))
        table.extend(rows, Commit("{}", f"{kind}{self.served}", self.served))

    def answer(self, rows, seed, answer=None):
        """Rows are served, and all their outcomes told."""
        inputs = draw(rows, seed)
        self.tell(self.serve(inputs, answer), truth_of(self.task, inputs, seed + 1))
        return inputs, truth_of(self.task, inputs, seed + 1)

    def watch(self, **settings):
        return monitor(MonitorSpec(**settings), "desk", self.deployment, self.release, self.model, self.catalog)

    def page(self, drift):
        return (self.catalog.folder(drift.ref) / "report.html").read_text().partition("<script>")[0]

    def found(self, drift):
        return json.loads((self.catalog.folder(drift.ref) / "report.json").read_bytes())


@pytest.fixture
def desk(tmp_path):
    catalog = Catalog(tmp_path)
    yield lambda task, rule=ALWAYS: Desk(catalog, task, rule)
    catalog.close()


def values(drift):
    return {estimate.name: estimate.value for estimate in drift.performance}


def test_classes_are_measured_by_what_was_said_and_held_against_the_report(desk):
    service = desk(Task.CLASSES, HAND_OVER)
    inputs, truth = service.answer(1500, seed=10)
    drift = service.watch()
    answer = answer_of(Task.CLASSES, inputs)
    said = answer.argmax(axis=1)
    assert (drift.verdict, drift.labelled) == ("steady", 1500)
    assert [column.name for column in drift.columns] == ["heat", "load", "age", "score", "class"]
    sure = answer.max(axis=1) >= 0.6
    assert values(drift) == pytest.approx(
        {
            "accuracy": accuracy_score(truth, said),
            "macro_f1": f1_score(truth, said, average="macro"),
            "log_loss": log_loss(truth, answer),
            "cost": np.where(sure, 5.0 * (truth != said), 1.0).mean(),
        }
    )
    assert service.watch(metric="macro_f1").performance[0].name == "macro_f1"
    assert f"{(~sure).mean():.0%} of the rows go to a person (" in drift.recommendation
    found = service.found(drift)
    assert found["limits"]["metric"] == "accuracy"
    assert found["decided_false"]["trained"] == pytest.approx((~sure).mean(), abs=0.03)
    assert found["timeline"][0]["came_true"] == pytest.approx((truth == said)[: 1500 // 7].mean())


def test_labels_of_classes_are_told_beside_training_and_unknown_ones_count_as_wrong(desk):
    service = desk(Task.CLASSES)
    inputs = draw(400, seed=20)
    ids = service.serve(inputs)
    service.tell(ids, ["returns"] * 300 + ["a new one"] * 100)
    drift = service.watch()
    said = answer_of(Task.CLASSES, inputs).argmax(axis=1)
    assert values(drift)["accuracy"] == pytest.approx((said[:300] == 2).sum() / 400)
    assert (drift.verdict, drift.labelled) == ("drifted", 400)
    assert drift.recommendation.startswith("accuracy went from 0.7")
    labels = {fact["name"]: (fact["trained"], fact["now"]) for fact in service.found(drift)["performance"]["labels"]}
    assert labels["returns"] == (pytest.approx(0.2, abs=0.1), 0.75)
    assert labels["(unknown)"] == (0.0, 0.25)
    page = service.page(drift)
    assert "Outcomes, in training and now" in page
    assert "a person" not in page  # nothing is decided here


def test_numbers_are_measured_and_their_intervals_hold_what_they_promise(desk):
    service = desk(Task.NUMBER)
    inputs, truth = service.answer(1500, seed=30)
    drift = service.watch()
    estimate = answer_of(Task.NUMBER, inputs)
    low, high = Saying(service.content.signature, ALWAYS, service.content.interval).say_alone(estimate).outputs.T
    assert values(drift) == pytest.approx(
        {
            "r2": r2_score(truth, estimate),
            "rmse": root_mean_squared_error(truth, estimate),
            "mae": mean_absolute_error(truth, estimate),
            "coverage": ((truth >= low) & (truth <= high)).mean(),
            "label_mean": truth.mean(),
        }
    )
    assert values(drift)["coverage"] == pytest.approx(0.9, abs=0.03)
    assert [column.name for column in drift.columns] == ["heat", "load", "age", "score"]
    assert (drift.verdict, "and r2 is 0." in drift.recommendation) == ("steady", True)
    found = service.found(drift)
    facts = {fact["name"]: fact for fact in found["performance"]["labels"]}
    assert facts["mean"]["now"] == pytest.approx(truth.mean())
    for share in (5, 25, 50, 75, 95):
        fact = facts[f"{share}% quantile"]
        assert fact["now"] == pytest.approx(np.quantile(truth, share / 100))
        assert fact["trained"] == pytest.approx(fact["now"], abs=2.5)
    assert found["timeline"][-1]["came_true"] == pytest.approx(truth[-(1500 // 7 + 1) :].mean(), abs=1.0)
    assert "Intervals promise to hold 90%" in service.page(drift)


@pytest.mark.parametrize("task", [Task.CLASSES, Task.NUMBER])
def test_a_model_that_is_what_it_was_gives_no_alarm(desk, task):
    service = desk(task, HAND_OVER if task is Task.CLASSES else ALWAYS)
    for trial in range(3):
        service.answer(600, seed=100 + 2 * trial)
        assert service.watch(window_rows=600).verdict == "steady"


@pytest.mark.parametrize("task", [Task.CLASSES, Task.NUMBER])
def test_false_alarms_keep_to_their_rates(task):
    """By columns at most ``alpha`` of the reports, 1 %; by performance what an interval of 95 % leaves on one side."""
    content, report = content_of(task, ALWAYS), Report("desk", "1", "pass", reported(task), (), ())
    moved = fell = 0
    for trial in range(_REPORTS):
        inputs = draw(300, seed=1000 + trial)
        answer, truth = answer_of(task, inputs), truth_of(task, inputs, seed=5000 + trial)
        said = Saying(content.signature, content.decision, content.interval).say_alone(answer)
        at = np.arange(300).astype("datetime64[us]")
        traffic = Traffic(at, inputs, said.score, said.decision, said.outputs, truth.astype(np.float64))
        spec = MonitorSpec(max_drop=0.0)  # without the margin that hides chance
        moved += any(one.drift.alarm for one in compare_columns(spec, content.signature, content.reference, traffic))
        performance = measure_performance(spec, content, report, traffic)
        fell += performance.alarm or performance.uncovered
    assert moved <= binom.ppf(0.999, _REPORTS, 0.01)
    assert fell <= binom.ppf(0.999, _REPORTS, 0.05)  # the metric, and the coverage


def permuted(inputs):
    return answer_of(Task.CLASSES, inputs)[:, [1, 0, 2, 3]]


def biased(inputs):
    return answer_of(Task.NUMBER, inputs) + 12


@pytest.mark.parametrize(("task", "broken"), [(Task.CLASSES, permuted), (Task.NUMBER, biased)])
@pytest.mark.parametrize("seed", [40, 50, 60])
def test_a_model_that_broke_is_an_alarm(desk, task, broken, seed):
    service = desk(task)
    inputs = draw(400, seed)
    service.answer(400, seed, broken(inputs))
    drift = service.watch()
    assert drift.verdict == "drifted"
    assert drift.recommendation.startswith(f"{METRICS[task][0]} went from 0.")
    assert not any(column.alarm for column in drift.columns[:3])


def test_a_mix_of_classes_that_moved_is_told(desk):
    service = desk(Task.CLASSES)
    inputs = draw(600, seed=70)
    service.serve(inputs, answer_of(Task.CLASSES, inputs)[:, [3, 0, 1, 2]])
    drift = service.watch()
    assert [column.name for column in drift.columns if column.alarm] == ["class"]
    assert drift.recommendation.startswith("the mix of classes that are said moved (PSI ")
    assert "<h3>class</h3>" in service.page(drift)


def test_intervals_that_became_too_narrow_are_an_alarm(desk):
    service = desk(Task.NUMBER)
    inputs = draw(600, seed=80)
    noise = np.random.default_rng(81).normal(size=600) * 8
    service.tell(service.serve(inputs), truth_of(Task.NUMBER, inputs, 82) + noise)
    drift = service.watch(max_drop=0.15, metric="r2")
    assert "intervals hold 57% of the outcomes" in drift.recommendation
    assert "where 90% is promised" in drift.recommendation


def test_errors_in_the_unit_of_the_label_may_rise_by_a_share(desk):
    service = desk(Task.NUMBER)
    inputs = draw(900, seed=90)
    truth = truth_of(Task.NUMBER, inputs, 91)
    service.tell(
        service.serve(inputs), answer_of(Task.NUMBER, inputs) + 1.15 * (truth - answer_of(Task.NUMBER, inputs))
    )
    assert service.watch(metric="rmse", max_drop=0.3).verdict == "steady"
    assert service.watch(metric="rmse").recommendation.startswith("rmse went from ")


def test_a_limit_is_a_decision_whose_share_is_told(desk):
    service = desk(Task.NUMBER, DecisionRule("limit", 60.0))
    inputs, _ = service.answer(500, seed=95)
    drift = service.watch()
    false = service.found(drift)["decided_false"]
    share = (answer_of(Task.NUMBER, inputs) < 60).mean()
    assert false["now"]["value"] == pytest.approx(share)
    assert false["trained"] == pytest.approx(share, abs=0.04)
    assert "Decided false" in service.page(drift)


def test_labels_of_another_task_and_tables_of_another_release_do_no_harm(desk):
    service = desk(Task.NUMBER)
    service.serve(draw(300, seed=97), release="release/desk@other", outputs=False)
    assert service.watch().verdict == "too_few_rows"
    ids = service.serve(draw(300, seed=98))
    service.tell(ids, ["not a number"] * 300)
    assert (service.watch().labelled, service.watch().verdict) == (0, "steady")


def test_an_interval_of_a_number_needs_no_alarm_of_its_own(desk):
    service = desk(Task.NUMBER)
    assert isinstance(service.content.interval, Interval)
    inputs = draw(400, seed=99) + 1.5
    service.serve(inputs)
    drift = service.watch()
    assert {column.name for column in drift.columns if column.alarm} == {"heat", "load", "age", "score"}
