from dataclasses import dataclass, replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from drivetrain.core.errors import Refused
from drivetrain.core.model import Signature
from drivetrain.ops.calibration import Sigmoid, probability
from drivetrain.store.models import Scorer
from drivetrain.testing.learners import make_sample
from drivetrain.train.graph import ROW, Subgraph, constant
from drivetrain.train.learner import Size
from drivetrain.train.learners.logistic import Logistic
from drivetrain.train.trained import Trained, check_parity

SAMPLE, FIELDS = make_sample(300)
SIGNATURE = Signature(FIELDS, "id", "label")


@dataclass(frozen=True)
class Rounded:
    """Its export rounds one column to float32, as a careless converter does."""

    column: int
    rounds: int = 0
    size = Size(1)

    def margin(self, x):
        return np.sin(np.nan_to_num(x[:, self.column], nan=0.0))

    def to_onnx(self, prefix, source=ROW):
        nodes = (
            helper.make_node("Gather", [source, "which"], ["taken"], axis=1),
            helper.make_node("IsNaN", ["taken"], ["missing"]),
            helper.make_node("Where", ["missing", "zero", "taken"], ["filled"]),
            helper.make_node("Cast", ["filled"], ["single"], to=TensorProto.FLOAT),
            helper.make_node("Sin", ["single"], ["sine"]),
            helper.make_node("Cast", ["sine"], ["out"], to=TensorProto.DOUBLE),
        )
        return Subgraph(nodes, (constant("which", [self.column], np.int64), constant("zero", 0.0)), "out")


def fitted():
    return Logistic().fit(SAMPLE, FIELDS, {}, seed=0)


def test_a_blend_adds_log_odds_by_weight_and_is_calibrated():
    one = fitted()
    other = Logistic().fit(SAMPLE, FIELDS, {"C": 0.01, "knots": 4}, seed=0)
    blend = Trained(((one, 0.3), (other, 0.7)), Sigmoid(1.2, -0.4))
    expected = probability(1.2 * (0.3 * one.margin(SAMPLE.x) + 0.7 * other.margin(SAMPLE.x)) - 0.4)
    assert np.allclose(blend.answer(SAMPLE.x), expected, atol=1e-12, rtol=0)
    assert np.allclose(Scorer(blend.to_onnx(7)).score(SAMPLE.x), expected, atol=1e-12, rtol=0)
    assert blend.size.operations == one.size.operations + other.size.operations


def test_parity_holds_for_an_exact_export():
    trained = Trained(((fitted(), 1.0),), Sigmoid(1.0, 0.0))
    check_parity(trained, trained.to_onnx(7), SAMPLE.x, SIGNATURE)


@pytest.mark.parametrize("column", [0, 4])
def test_the_feature_that_differs_is_named(column):
    x = SAMPLE.x.copy()
    x[:, 0] *= 1e6  # where float32 no longer resolves a radian; seconds since 1970 are there already
    signature = replace(SIGNATURE, inputs=tuple(replace(field, typical=0.0) for field in FIELDS))
    trained = Trained(((Rounded(column), 1.0),), Sigmoid(1.0, 0.0))
    with pytest.raises(Refused, match=f"closes when {FIELDS[column].name} is typical") as caught:
        check_parity(trained, trained.to_onnx(7), x, signature)
    assert caught.value.code == "parity"
    assert caught.value.where == FIELDS[column].name


def test_missing_values_that_the_graph_takes_otherwise_are_found_without_a_row_that_has_one():
    trained = Trained(((Rounded(1), 1.0),), Sigmoid(1.0, 0.0))
    graph = trained.to_onnx(7)
    lenient = Trained(((Missing(1), 1.0),), Sigmoid(1.0, 0.0))
    with pytest.raises(Refused, match="closes when count is typical"):
        check_parity(lenient, graph, np.nan_to_num(SAMPLE.x), SIGNATURE)


class Missing(Rounded):
    def margin(self, x):
        return np.where(np.isnan(x[:, 1]), 2.0, np.sin(np.nan_to_num(x[:, 1]).astype(np.float32)))
