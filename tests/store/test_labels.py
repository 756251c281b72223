import numpy as np
import pyarrow as pa

from drivetrain.core.task import Task
from drivetrain.store.labels import classes_of, told, truth_of


def test_labels_become_what_their_task_measures():
    texts = pa.chunked_array([["b", "a", "b", "z"]])
    assert classes_of(texts) == ("b", "a", "z")
    assert truth_of(Task.CLASSES, ("b", "a"), texts).tolist() == [0, 1, 0, -1]
    assert truth_of(Task.YES_NO, (), pa.chunked_array([[True, False]])).dtype == np.bool_
    assert truth_of(Task.NUMBER, (), pa.chunked_array([[1, 2]])).tolist() == [1.0, 2.0]


def test_what_was_told_of_predictions_is_a_label_of_the_task_or_none():
    def of(task, values):
        return told(task, ("b", "a"), pa.chunked_array([values])).tolist()

    def same(found, wanted):
        np.testing.assert_array_equal(found, wanted)

    same(of(Task.CLASSES, ["a", "b", "z", None]), [1, 0, -1, np.nan])
    same(of(Task.YES_NO, [True, False, None]), [1, 0, np.nan])
    same(of(Task.YES_NO, ["true", "false", "b"]), [1, 0, np.nan])
    same(of(Task.NUMBER, [1.5, None]), [1.5, np.nan])
    same(of(Task.NUMBER, ["1.5", "much", None]), [1.5, np.nan, np.nan])
