"""A challenger beside the champion: only one that is approved, runs here, and takes what callers send."""

from dataclasses import replace

import pytest

from drivetrain.core.artifacts import Deployment, Release, TrafficShare
from drivetrain.core.errors import InvalidInput, NotFound, Refused, Tampered
from drivetrain.core.model import InputField, Signature
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.schema import ColumnType
from drivetrain.deploy.deploy import Change, deploy
from drivetrain.deploy.trial import canary, shadow
from drivetrain.testing.graphs import constant_graph, model_of

from .conftest import INPUTS, ROWS, World, make_graph

BY_ADA = Change("risk-api", "ada", "new bureau data")
RULE = CanaryRule(rows=50)


@pytest.fixture
def champion(world: World) -> Deployment:
    """What serves."""
    made = deploy(BY_ADA, world.release(make_graph(0.25)), "local", world.catalog, world.actors)
    world.catalog.follow(made, actor="ada")
    return made


def other(world: World, *inputs: InputField) -> Release:
    """A release of a model with other inputs."""
    width = len(inputs)
    rows = ROWS[:, :1].repeat(width, axis=1)
    return world.maker.release(model_of(constant_graph(0.75, width), Signature(inputs, "id", "bad"), rows))


def test_a_canary_answers_its_share_under_the_rule(world: World, champion: Deployment):
    challenger = world.release(make_graph(0.75))
    made = canary(BY_ADA, challenger, 0.2, RULE, world.catalog, world.actors)
    assert made.shares == (TrafficShare(champion.champion, 0.8), TrafficShare(challenger.ref, 0.2))
    assert (made.version, made.canary, made.reason, made.target) == (2, RULE, "new bureau data", "local")
    assert made.at >= champion.at


def test_a_shadow_gets_copies(world: World, champion: Deployment):
    challenger = world.release(make_graph(0.75))
    made = shadow(BY_ADA, challenger, 1.0, world.catalog, world.actors)
    assert (made.shares, made.shadows) == (champion.shares, (TrafficShare(challenger.ref, 1.0),))


def test_who_cannot_take_the_champions_rows_is_refused_with_the_columns(world: World, champion: Deployment):
    new = InputField("job", ColumnType.TEXT, False, ("smith",))
    challenger = other(world, replace(INPUTS[0], type=ColumnType.TEXT, categories=("a",)), INPUTS[1], new)
    why = "'age' is a text, not an integer, 'job' is new and must be given"
    with pytest.raises(Refused, match=why) as refused:
        canary(BY_ADA, challenger, 0.2, RULE, world.catalog, world.actors)
    assert refused.value.code == "inputs_incompatible"
    with pytest.raises(Refused, match=why):
        shadow(BY_ADA, challenger, 0.2, world.catalog, world.actors)


def test_new_inputs_that_may_be_missing_may_be_tried(world: World, champion: Deployment):
    new = InputField("job", ColumnType.TEXT, True, ("smith",))
    made = shadow(BY_ADA, other(world, *INPUTS, new), 0.5, world.catalog, world.actors)
    assert made.shadows[0].share == 0.5


def test_the_gate_speaks_after_the_fit_and_before_the_target(world: World, champion: Deployment):
    def no() -> None:
        raise Refused("no", "not today")

    broken = world.release(make_graph(1.5))
    with pytest.raises(Refused, match="not today"):
        canary(BY_ADA, broken, 0.2, RULE, world.catalog, world.actors, no)
    with pytest.raises(Refused, match="no probability"):
        canary(BY_ADA, broken, 0.2, RULE, world.catalog, world.actors)
    unfit = other(world, *INPUTS, InputField("job", ColumnType.TEXT, False, ("smith",)))
    with pytest.raises(Refused, match="'job'"):
        canary(BY_ADA, unfit, 0.2, RULE, world.catalog, world.actors, no)


def test_a_changed_or_unapproved_challenger_is_refused(world: World, champion: Deployment):
    challenger = world.release(make_graph(0.75))
    (world.catalog.folder(challenger.ref) / "model" / "model.onnx").write_bytes(make_graph(0.9))
    with pytest.raises(Tampered, match="is not what was signed"):
        shadow(BY_ADA, challenger, 0.2, world.catalog, world.actors)
    with pytest.raises(Refused, match="is not approved"):
        shadow(BY_ADA, world.release(make_graph(0.8), approved=False), 0.2, world.catalog, world.actors)


def test_a_share_that_cannot_be_given_is_refused_before_anything_is_read(world: World, champion: Deployment):
    challenger = world.release(make_graph(0.75))
    with pytest.raises(InvalidInput, match="below 1"):
        canary(BY_ADA, replace(challenger, digest="0" * 64), 1.0, RULE, world.catalog, world.actors)


def test_nothing_can_be_tried_where_nothing_serves(world: World):
    with pytest.raises(NotFound, match="nothing is deployed yet"):
        shadow(BY_ADA, world.release(make_graph(0.75)), 0.2, world.catalog, world.actors)
