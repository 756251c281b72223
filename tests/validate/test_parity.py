from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import GatesSpec
from drivetrain.validate.parity import parity


def _expecting(world, change):
    def changed(content):
        expected = content.expected.copy()
        change(expected)
        return replace(content, expected=expected)

    return world.evidence(GatesSpec(), world.model(changed))


def test_what_is_served_is_what_was_trained(world):
    (result,) = parity(world.evidence(GatesSpec())).results
    assert result.verdict == "pass"
    assert result.measured.value < 1e-12
    assert result.measured.rows == 1_600


def test_one_row_that_differs_is_named(world):
    def spoil(expected):
        expected[1_234] += 2e-6

    (result,) = parity(_expecting(world, spoil)).results
    entity = world.evidence(GatesSpec()).test.entity[1_234]
    assert result.verdict == "fail"
    assert f"worst in loan {entity}" in result.detail
    assert result.measured.value == pytest.approx(2e-6)


def test_a_tiny_difference_passes(world):
    def nudge(expected):
        expected += 5e-7

    assert parity(_expecting(world, nudge)).results[0].verdict == "pass"


def test_the_input_that_the_graph_treats_differently_is_named(world):
    """The pipeline filled a missing income with something else than the graph does."""
    missing = np.isnan(world.packed("test")[:, 0])

    def spoil(expected):
        expected[missing] += 0.01

    (result,) = parity(_expecting(world, spoil)).results
    assert f"{missing.sum():,} rows differ; 'income' tells them from the others best (AUC 1.00)" in result.detail


def test_the_input_that_the_served_path_reads_differently_is_named(world):
    """The signature calls the regions in another order than the one the features were packed in."""
    evidence = world.evidence(GatesSpec())
    packed = evidence.packed.copy()
    packed[:, 2] = np.where(packed[:, 2] == 1.0, 2.0, packed[:, 2])
    model = world.model(lambda content: replace(content, expected=content.expected + 0.5))
    other = world.evidence(GatesSpec(), model)
    other.__dict__["packed"] = packed
    (result,) = parity(other).results
    assert "the served path reads 'region' differently" in result.detail


def test_an_answer_that_is_no_number_is_a_difference(world):
    def spoil(expected):
        expected[7] = np.nan

    (result,) = parity(_expecting(world, spoil)).results
    assert result.verdict == "fail"
    assert result.measured.value == np.inf


@pytest.mark.parametrize("rows", [0, 1_601])
def test_expected_answers_of_other_rows_are_refused(world, rows):
    model = world.model(lambda content: replace(content, expected=np.zeros(rows)))
    with pytest.raises(InvalidInput, match=f"{rows} expected answers for 1600 test rows"):
        parity(world.evidence(GatesSpec(), model))


def test_a_model_of_other_features_is_refused(world):
    model = replace(world.model(), parents=())
    with pytest.raises(InvalidInput, match="was not trained on features/risk"):
        parity(world.evidence(GatesSpec(), model))


def test_the_class_that_is_furthest_off_is_named(carriers):
    def spoil(content):
        expected = content.expected.copy()
        expected[7, 2] += 3e-6
        return replace(content, expected=expected)

    (result,) = parity(carriers.evidence(GatesSpec(), carriers.model(spoil))).results
    assert result.verdict == "fail"
    assert result.measured.value == pytest.approx(3e-6)
    assert f"of {carriers.features.classes[2]}: served" in result.detail


def test_expected_answers_of_another_shape_are_refused(carriers):
    model = carriers.model(lambda content: replace(content, expected=content.expected[:, :2]))
    with pytest.raises(InvalidInput, match=r"answers \(800, 3\), and \(800, 2\) is expected"):
        parity(carriers.evidence(GatesSpec(), model))


def test_large_numbers_may_differ_by_a_share_of_themselves(days):
    far = days.model(lambda content: replace(content, expected=content.expected * (1 + 5e-7)))
    further = days.model(lambda content: replace(content, expected=content.expected * (1 + 5e-6)))
    verdicts = [parity(days.evidence(GatesSpec(), model)).results[0].verdict for model in (far, further)]
    assert verdicts == ["pass", "fail"]
