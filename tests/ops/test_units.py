"""Units told from how the quantiles of a column moved."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.ops.units import QUANTILES, STEPS, distance, unit_step


def level(values):
    return tuple(float(value) for value in np.quantile(values, QUANTILES))


def draw(kind, count, seed=0):
    chance = np.random.default_rng(seed)
    return {
        "income": lambda: chance.lognormal(8, 0.7, count),
        "height": lambda: chance.normal(170, 9, count),
        "heat": lambda: chance.normal(15, 8, count),
        "weight": lambda: chance.normal(80, 14, count),
        "count": lambda: chance.poisson(6, count) + 1.0,
    }[kind]()


@pytest.mark.parametrize("kind", ["income", "height", "weight"])
@pytest.mark.parametrize("step", STEPS[:-2], ids=str)
def test_every_step_is_found_in_a_thousand_values(kind, step):
    now = draw(kind, 1000, seed=1) * step.factor
    assert unit_step(level(now), [level(draw(kind, 1000))]) == step


@pytest.mark.parametrize("step", STEPS[-2:], ids=str)
def test_degrees(step):
    now = draw("heat", 1000, seed=1) * step.factor + step.offset
    assert unit_step(level(now), [level(draw("heat", 1000))]) == step
    assert str(step).startswith("degrees")


@given(st.lists(st.floats(1, 1e6), min_size=20, max_size=60, unique=True), st.floats(0.7, 1.4))
def test_a_level_like_one_before_is_no_step(values, growth):
    before = level(values)
    assert unit_step(before, [before]) is None
    now = [value * growth for value in before]
    if distance(now, before) < 0.5:
        assert unit_step(now, [before]) is None


@given(st.floats(-1e9, 1e9))
def test_a_column_that_is_constant_tells_nothing(value):
    same = (value,) * 5
    assert unit_step((1.0, 2.0, 3.0, 4.0, 5.0), [same]) is None
    assert unit_step(same, [same]) is None
    assert unit_step(same, []) is None


def test_both_units_were_seen_before():
    inches, centimetres = draw("height", 500) / 2.54, draw("height", 500, seed=3)
    assert unit_step(level(centimetres), [level(inches)]) is not None
    assert unit_step(level(centimetres), [level(centimetres), level(inches)]) is None


def test_words():
    words = {str(step) for step in STEPS}
    assert {"x 100", "/ 1000", "x 2.54 (inches to centimetres)", "/ 2.54 (centimetres to inches)"} <= words
    assert "/ 2.205 (pounds to kilograms)" in words


@pytest.mark.parametrize("kind", ["income", "height", "heat", "weight", "count"])
def test_loads_that_go_on_as_before_are_never_a_step(kind):
    chance = random.Random(kind)
    for _ in range(300):
        sizes = [chance.randint(100, 2000) for _ in range(4)]
        before = [level(draw(kind, size, seed=chance.randint(0, 10**6))) for size in sizes]
        grown = 1 + chance.random() * 0.3
        assert (
            unit_step(level(draw(kind, chance.randint(100, 2000), seed=chance.randint(0, 10**6)) * grown), before)
            is None
        )
