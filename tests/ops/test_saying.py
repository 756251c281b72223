import numpy as np

from drivetrain.core.model import DecisionRule, Interval, Signature
from drivetrain.core.task import Task
from drivetrain.ops.saying import Saying, other_class

ANSWER = np.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])


def test_yes_or_no_says_its_probability():
    said = Saying(Signature((), "id", "y"), DecisionRule("threshold", 0.5)).say_alone(np.array([0.4, 0.5]))
    assert (said.score.tolist(), said.decision.tolist(), said.outputs.shape) == ([0.4, 0.5], [False, True], (2, 0))


def test_classes_say_the_likeliest_and_whether_it_is_sure_enough():
    signature = Signature((), "id", "y", Task.CLASSES, ("a", "b", "c"))
    said = Saying(signature, DecisionRule("rejection", 0.6)).say_alone(ANSWER)
    assert said.score.tolist() == [0.5, 0.9]
    assert said.decision.tolist() == [False, True]
    assert [signature.outputs[0].categories[int(code)] for code in said.outputs[:, 0]] == ["b", "a"]


def test_a_number_says_its_interval_and_which_side_of_the_limit_it_is_on():
    signature = Signature((), "id", "y", Task.NUMBER)
    interval = Interval(0.9, (0.0, 10.0), (-1.0, -3.0), (1.0, 5.0))
    said = Saying(signature, DecisionRule("limit", 5.0, below=True), interval).say_alone(np.array([0.0, 5.0, 20.0]))
    assert said.decision.tolist() == [True, True, False]
    assert said.outputs.tolist() == [[-1.0, 1.0], [3.0, 8.0], [17.0, 25.0]]
    assert [field.name for field in signature.outputs] == ["low", "high"]


def test_classes_of_two_models_are_compared_by_name():
    before = Signature((), "case", "topic", Task.CLASSES, ("card", "loan"))
    after = Signature((), "case", "topic", Task.CLASSES, ("loan", "new", "card"))
    ours, theirs = (np.array(codes)[:, None] for codes in ([0.0, 1.0, 1.0, 0.0], [2.0, 0.0, 1.0, np.nan]))
    assert other_class(before, after, ours, theirs).tolist() == [False, False, True, True]
    assert other_class(Signature((), "case", "default"), after, ours, theirs) is None
