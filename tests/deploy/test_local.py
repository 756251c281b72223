from __future__ import annotations

import numpy as np
import pytest

from drivetrain.access.verification import VerifiedRelease, verify_release
from drivetrain.core.artifacts import Release
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.deploy.local import LocalTarget
from drivetrain.store.golden import Golden
from drivetrain.testing.graphs import again, flipped, logistic_model

from .conftest import World, make_graph


def _verified(world: World, made: Release) -> VerifiedRelease:
    return verify_release(world.catalog.folder(made.ref), world.actors, expected=made.ref)


def test_a_model_that_answers_its_golden_batch_is_taken(world: World):
    LocalTarget().roll_out("loans", _verified(world, world.maker.release(logistic_model())))


def test_a_model_that_answers_otherwise_here_than_where_it_was_validated_is_refused(world: World):
    rows = np.array([[40.0, 9000.0, 1.0, 0.0, 0.0, 1.7e9]])
    made = world.maker.release(again(flipped()), golden=Golden(rows, np.array([0.05])))
    with pytest.raises(Refused, match="1 of 1 golden rows") as error:
        LocalTarget().roll_out("loans", _verified(world, made))
    assert (error.value.code, error.value.where) == ("golden_batch_differs", str(made.ref))


def test_a_golden_batch_of_another_width_is_refused(world: World):
    made = world.maker.release(logistic_model(), golden=Golden(np.eye(2), np.zeros(2)))
    with pytest.raises(InvalidInput, match="does not run"):
        LocalTarget().roll_out("loans", _verified(world, made))


@pytest.mark.parametrize("answer", [1.5, -0.1, float("nan"), float("inf")])
def test_an_answer_that_is_no_probability_is_refused_even_when_validation_saw_it_too(world: World, answer: float):
    with pytest.raises(Refused, match="which is no probability"):
        LocalTarget().roll_out("loans", _verified(world, world.release(make_graph(answer))))
