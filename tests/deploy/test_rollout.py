"""The end of a trial and the way back, on real releases in a real catalog."""

import json
import subprocess
import sys

import pytest

from drivetrain.core.artifacts import Deployment, TrafficShare
from drivetrain.core.errors import InvalidInput, NotFound, Refused, Tampered
from drivetrain.core.rollout import CanaryRule
from drivetrain.deploy.deploy import Change, deploy
from drivetrain.deploy.rollout import promote, roll_back
from drivetrain.deploy.trial import canary, shadow

from .conftest import World, make_graph

BY_ADA = Change("risk-api", "ada")
RULE = CanaryRule(rows=50)


def entered(world: World, deployment: Deployment) -> Deployment:
    world.catalog.follow(deployment, actor=deployment.actor)
    return deployment


def deployed(world: World, *answers: float) -> list[Deployment]:
    """Releases that answer so, each deployed after the other."""
    made = [world.release(make_graph(answer)) for answer in answers]
    return [entered(world, deploy(BY_ADA, each, "local", world.catalog, world.actors)) for each in made]


@pytest.fixture
def tried(world: World) -> Deployment:
    """One release answers, a second one is on trial."""
    deployed(world, 0.25)
    challenger = world.release(make_graph(0.75))
    return entered(world, canary(BY_ADA, challenger, 0.1, RULE, world.catalog, world.actors))


def test_a_promoted_challenger_answers_alone(world: World, tried: Deployment):
    change = Change("risk-api", "ada", "two weeks without an alarm")
    ended = entered(world, promote(change, world.catalog, world.actors))
    assert ended.shares == (TrafficShare(tried.shares[1].release, 1.0),)
    assert (ended.version, ended.reason, ended.canary) == (3, "two weeks without an alarm", None)


def test_rolling_back_ends_the_trial_first(world: World, tried: Deployment):
    ended = entered(world, roll_back(BY_ADA, world.catalog, world.actors))
    assert ended.shares == (TrafficShare(tried.champion, 1.0),)
    assert ended.reason == f"trial of {tried.challenger} ended by ada"


def test_rolling_back_ends_a_shadow_too(world: World):
    (first,) = deployed(world, 0.25)
    entered(world, shadow(BY_ADA, world.release(make_graph(0.75)), 1.0, world.catalog, world.actors))
    ended = roll_back(BY_ADA, world.catalog, world.actors)
    assert (ended.shares, ended.shadows) == (first.shares, ())


def test_every_rollback_goes_one_champion_further_back(world: World):
    first, second, third = deployed(world, 0.25, 0.5, 0.75)
    back = entered(world, roll_back(BY_ADA, world.catalog, world.actors))
    assert back.champion == second.champion
    assert back.reason == f"back to {second.ref}"
    again = entered(world, roll_back(BY_ADA, world.catalog, world.actors))
    assert again.champion == first.champion
    with pytest.raises(NotFound, match="no champion before") as refused:
        roll_back(BY_ADA, world.catalog, world.actors)
    assert "--to" in refused.value.hint
    forth = roll_back(BY_ADA, world.catalog, world.actors, to=third)
    assert forth.champion == third.champion


def test_nothing_is_brought_back_that_was_changed_since(world: World):
    first, _ = deployed(world, 0.25, 0.75)
    (world.catalog.folder(first.champion) / "model" / "model.onnx").write_bytes(make_graph(0.9))
    with pytest.raises(Tampered, match="is not what was signed"):
        roll_back(BY_ADA, world.catalog, world.actors)


def test_what_cannot_be_ended_is_said(world: World):
    with pytest.raises(NotFound, match="nothing is deployed yet"):
        roll_back(BY_ADA, world.catalog, world.actors)
    (only,) = deployed(world, 0.25)
    with pytest.raises(InvalidInput, match="nothing to promote"):
        promote(BY_ADA, world.catalog, world.actors)
    with pytest.raises(InvalidInput, match="answers everything already"):
        roll_back(BY_ADA, world.catalog, world.actors, to=only)


SHELF = """
class Shelf:
    def roll_out(self, service, release):
        print("out", release.ref)
"""
WAY_BACK = """
class WayBack:
    def bring_back(self, service, release):
        print("back", release.ref)
"""


@pytest.mark.parametrize("word", ["out", "back"])
def test_a_target_is_asked_for_its_own_way_back(world: World, word, tmp_path, monkeypatch, capsys):
    info = tmp_path / "site" / "shelf-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "shelf_out.py").write_text(SHELF)
    (info.parent / "shelf_back.py").write_text(WAY_BACK)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    way_back = "[drivetrain.ways_back]\nshelf = shelf_back:WayBack\n" if word == "back" else ""
    (info / "entry_points.txt").write_text(f"[drivetrain.targets]\nshelf = shelf_out:Shelf\n{way_back}")
    monkeypatch.syspath_prepend(info.parent)
    first = world.release(make_graph(0.25))
    for made in (first, world.release(make_graph(0.75))):
        entered(world, deploy(BY_ADA, made, "shelf", world.catalog, world.actors))
    capsys.readouterr()
    roll_back(BY_ADA, world.catalog, world.actors)
    assert capsys.readouterr().out.split() == [word, str(first.ref)]


def test_the_way_back_waits_for_no_data_library():
    code = (
        "import json, sys, drivetrain.cli.main, drivetrain.cli.rollout, drivetrain.engine.project, "
        "drivetrain.engine.rollout, drivetrain.engine.uptake, drivetrain.deploy.local_way_back\n"
        "print(json.dumps([name for name in sys.modules if '.' not in name]))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"numpy", "pyarrow", "deltalake", "duckdb", "onnxruntime", "pandas", "sklearn", "jinja2"}
    assert heavy & set(json.loads(said)) == set()


def test_an_unapproved_challenger_is_not_tried(world: World):
    deployed(world, 0.25)
    with pytest.raises(Refused, match="is not approved"):
        canary(BY_ADA, world.release(make_graph(0.75), approved=False), 0.1, RULE, world.catalog, world.actors)
