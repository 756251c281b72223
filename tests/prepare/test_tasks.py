"""Labels of every task, from the spine to the cases that are learned from."""

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.task import Task
from drivetrain.store.cases import read_cases, read_unlabelled

ROWS = 400
CHANCE = np.random.default_rng(0)
SPINE = "SELECT id, label AS y FROM things"


@pytest.fixture
def things(project):
    def make(label):
        wide = CHANCE.normal(0, 1, len(label))
        project.source(
            "things", {"id": np.arange(len(label)), "label": label, "a": wide, "b": CHANCE.normal(0, 1, len(label))}
        )
        return project

    return make


def test_classes_are_named_commonest_first_and_parted_alike(things):
    label = np.array(["red"] * 250 + ["green"] * 100 + ["blue"] * 49 + ["once"])
    project = things(CHANCE.permutation(label))
    features = project.prepare(SPINE, "SELECT id, a, b FROM things", task="classes")
    assert features.task is Task.CLASSES
    assert features.classes[:3] == ("red", "green", "blue")
    test = read_cases(project.catalog, features, "test")
    assert test.label.dtype == np.int64
    assert np.bincount(test.label[test.label >= 0])[:3].tolist() == pytest.approx([50, 20, 10], abs=1)
    assert [part.positives for part in features.parts] == [None, None]


def test_numbers_are_kept_as_they_are(things):
    label = np.exp(CHANCE.normal(0, 1, ROWS))
    project = things(label)
    features = project.prepare(SPINE, "SELECT id, a, b FROM things", task="number")
    train, test = (read_cases(project.catalog, features, part) for part in ("train", "test"))
    assert np.sort(np.concatenate([train.label, test.label])) == pytest.approx(np.sort(label))
    assert np.median(test.label) == pytest.approx(np.median(train.label), rel=0.2)


def test_a_copy_of_a_number_in_another_unit_is_a_leak(things):
    project = things(np.exp(CHANCE.normal(0, 1, ROWS)))
    with pytest.raises(Refused, match="is the label in another unit"):
        project.prepare(SPINE, "SELECT id, a, label * 100 + 3 AS cents FROM things", task="number")


def test_a_column_that_nearly_is_the_number_is_a_leak(things):
    project = things(np.exp(CHANCE.normal(0, 1, ROWS)))
    with pytest.raises(Refused, match="alone explains 0"):
        project.prepare(SPINE, "SELECT id, a, label + 0.02 * b AS nearly FROM things", task="number")


def test_a_column_that_says_the_commonest_class_is_a_leak(things):
    project = things(np.array(["red"] * 200 + ["green"] * 100 + ["blue"] * 100))
    with pytest.raises(Refused, match="is the label in other words"):
        project.prepare(SPINE, "SELECT id, a, (label = 'red')::INT + 0 AS red FROM things", task="classes")


@pytest.mark.parametrize(
    ("task", "label", "words"),
    [
        ("number", ["a", "b"] * 50, "is text; `features.task: number` needs an integer or a number"),
        ("number", [1.0, np.inf] * 50, "is infinite or not a number in 50 rows"),
        ("number", [2.0] * 100, "is 2.0 in every row"),
        ("classes", ["same"] * 100, "is same in every row"),
        ("classes", [f"c{number}" for number in range(1500)], "holds 1,500 different texts"),
        ("yes_no", [0, 1, 2, 3] * 25, "or set `features.task` to `classes` or `number`"),
    ],
)
def test_labels_that_are_not_what_the_task_says(things, task, label, words):
    with pytest.raises(InvalidInput, match=words):
        things(np.array(label)).prepare(SPINE, "SELECT id, a, b FROM things", task=task)


def test_who_learns_blind_keeps_rows_without_a_label_in_both_parts(things):
    label = [True, False, None, None] * (ROWS // 4)
    project = things(label)
    split = {"split": {"by": "chance", "test": 0.25, "seed": 0}}
    features = project.prepare(SPINE, "SELECT id, a, b FROM things", blind=True, **split)
    test, unlabelled = (read(project.catalog, features, "test") for read in (read_cases, read_unlabelled))
    assert features.blind
    assert (len(test), [part.part for part in features.parts]) == (100, ["train", "test"])
    assert 30 < test.known.sum() == len(test.labelled()) < 70
    assert unlabelled.inputs.equals(test.inputs)
    assert not unlabelled.label.any()


def test_who_learns_blind_needs_no_label_at_all(things):
    project = things([None] * ROWS)
    spine = "SELECT id, CAST(NULL AS BOOLEAN) AS y FROM things"
    split = {"split": {"by": "chance", "test": 0.25, "seed": 0}}
    features = project.prepare(spine, "SELECT id, a, b FROM things", blind=True, **split)
    assert len(read_cases(project.catalog, features, "test").labelled()) == 0
