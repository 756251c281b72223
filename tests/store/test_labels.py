import numpy as np
import pyarrow as pa

from drivetrain.core.task import Task
from drivetrain.store.labels import classes_of, truth_of


def test_labels_become_what_their_task_measures():
    texts = pa.chunked_array([["b", "a", "b", "z"]])
    assert classes_of(texts) == ("b", "a", "z")
    assert truth_of(Task.CLASSES, ("b", "a"), texts).tolist() == [0, 1, 0, -1]
    assert truth_of(Task.YES_NO, (), pa.chunked_array([[True, False]])).dtype == np.bool_
    assert truth_of(Task.NUMBER, (), pa.chunked_array([[1, 2]])).tolist() == [1.0, 2.0]
