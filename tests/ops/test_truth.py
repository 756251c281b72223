import numpy as np

from drivetrain.core.task import Task
from drivetrain.ops.truth import aligned, always, halved, recoded, strata, tiled


def test_what_knows_nothing_answers_the_base_rates_or_the_mean():
    assert always(Task.CLASSES, 3, np.array([0, 0, 1, -1]), 2).tolist() == [[2 / 3, 1 / 3, 0.0]] * 2
    assert always(Task.NUMBER, 0, np.array([1.0, 3.0]), 1).tolist() == [2.0]
    assert always(Task.YES_NO, 0, np.array([True, False]), 1).tolist() == [0.5]


def test_halves_for_measures_that_know_only_yes_and_no():
    assert halved(Task.CLASSES, np.array([1, 1, 0, 2])).tolist() == [True, True, False, False]
    assert halved(Task.NUMBER, np.array([1.0, 2.0, 9.0])).tolist() == [False, False, True]


def test_rare_classes_share_a_stratum_or_join_the_commonest():
    truth = np.array([0] * 20 + [1] * 20 + [2] * 3 + [3] * 3)
    assert len(np.unique(strata(Task.CLASSES, truth, 5))) == 3
    assert len(np.unique(strata(Task.CLASSES, truth[:43], 5))) == 2


def test_truths_over_and_over():
    assert tiled(np.array([1.0, 2.0]), 2).tolist() == [1.0, 2.0, 1.0, 2.0]


def test_classes_are_found_by_their_names_in_another_order_and_number():
    truth = np.array([0, 1, 2, -1])
    assert recoded(truth, ("a", "b", "c"), ("c", "a")).tolist() == [1, -1, 0, -1]
    assert recoded(truth, (), ()).tolist() == truth.tolist()
    answer = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert aligned(answer, ("b", "a"), ("a", "b", "c")).tolist() == [[0.8, 0.2, 0.0], [0.4, 0.6, 0.0]]
    assert aligned(answer[:, 0], (), ()).tolist() == [0.2, 0.6]
