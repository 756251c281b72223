from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivetrain.core.artifacts import Deployment, Release, TrafficShare
from drivetrain.core.errors import InvalidInput, NotFound, Refused, Tampered
from drivetrain.core.refs import Kind
from drivetrain.deploy.deploy import Change, deploy
from drivetrain.deploy.targets import load_target

from .conftest import World, make_graph


def _deploy(world: World, made: Release, target: str = "local") -> Deployment:
    deployment = deploy(Change("risk-api", "ada"), made, target, world.catalog, world.actors)
    if deployment != world.catalog.latest(Deployment, "risk-api"):
        world.catalog.follow(deployment, actor="ada")
    return deployment


def test_an_approved_release_takes_all_traffic(world: World):
    made = world.release(make_graph())
    deployment = _deploy(world, made)
    assert str(deployment.ref) == "deployment/risk-api@1"
    assert deployment.shares == (TrafficShare(made.ref, 1.0),)
    assert (deployment.target, deployment.actor, deployment.parents) == ("local", "ada", (made.ref,))
    assert world.catalog.latest(Deployment, "risk-api") == deployment


def test_the_same_again_changes_nothing(world: World):
    made = world.release(make_graph())
    assert _deploy(world, made) == _deploy(world, made)
    assert len(world.catalog.list(Kind.DEPLOYMENT)) == 1


def test_every_deployment_stays_in_the_history(world: World):
    first, second = world.release(make_graph(0.25)), world.release(make_graph(0.75))
    made = [_deploy(world, each) for each in (first, second, first)]
    assert [deployment.version for deployment in made] == [1, 2, 3]
    assert [str(entry.ref) for entry in world.catalog.list(Kind.DEPLOYMENT)] == [str(each.ref) for each in made]
    assert world.catalog.latest(Deployment, "risk-api") == made[-1]


def test_services_count_by_themselves(world: World):
    made = world.release(make_graph())
    _deploy(world, made)
    assert deploy(Change("other", "ada"), made, "local", world.catalog, world.actors).version == 1


def test_an_unapproved_release_is_refused(world: World):
    made = world.release(make_graph(), approved=False)
    with pytest.raises(Refused, match="is not approved"):
        _deploy(world, made)
    # What the artefact says does not count, only what lies in the folder.
    with pytest.raises(Refused, match="is not approved"):
        _deploy(world, replace(made, approval=made.signed))
    assert world.catalog.list(Kind.DEPLOYMENT) == ()


def test_a_tampered_release_is_refused_also_when_it_serves_already(world: World):
    made = world.release(make_graph())
    _deploy(world, made)
    (world.catalog.folder(made.ref) / "model" / "model.onnx").write_bytes(make_graph(0.9))
    with pytest.raises(Tampered, match=r"model/model\.onnx is not what was signed"):
        _deploy(world, made)


def test_another_release_in_its_place_is_refused(world: World):
    made, other = world.release(make_graph(0.25)), world.release(make_graph(0.75))
    folder = world.catalog.folder(made.ref)
    folder.rename(folder.with_name("was"))
    world.catalog.folder(other.ref).rename(folder)
    with pytest.raises(Tampered, match=f"this is {other.ref}, not {made.ref}"):
        _deploy(world, made)


def test_what_nobody_made_is_not_found(world: World):
    made = replace(world.release(make_graph()), digest="0" * 64)
    with pytest.raises(NotFound, match="there is no release here"):
        _deploy(world, made)


@pytest.mark.parametrize("answer", [1.5, -0.1, float("nan"), float("inf")])
def test_a_model_that_gives_no_probability_is_refused(world: World, answer: float):
    made = world.release(make_graph(answer))
    with pytest.raises(Refused, match="which is no probability"):
        _deploy(world, made)


def test_a_model_that_does_not_load_is_refused(world: World):
    with pytest.raises(InvalidInput, match="does not load"):
        _deploy(world, world.release(b"\xff\xd8\xff\xe0 a JPEG"))


def test_an_unknown_target_names_those_that_are_known(world: World):
    made = world.release(make_graph())
    with pytest.raises(NotFound, match="no target is called 'moon'") as error:
        _deploy(world, made, "moon")
    assert "local" in error.value.hint


PLUGIN = """
from drivetrain.core.errors import Refused

class Shelf:
    def roll_out(self, service, release):
        if service == "closed":
            raise Refused("shelf_closed", "the shelf is closed")
        print(service, release.ref, len(release.part("model")))

shelf = Shelf()

class Nothing:
    pass
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target of somebody else, installed as a package would be."""
    site = tmp_path / "site"
    (site / "shelf-1.0.dist-info").mkdir(parents=True)
    (site / "shelf_plugin.py").write_text(PLUGIN)
    (site / "shelf-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shelf\nVersion: 1.0\n")
    (site / "shelf-1.0.dist-info" / "entry_points.txt").write_text(
        "[drivetrain.targets]\nshelf = shelf_plugin:Shelf\nready = shelf_plugin:shelf\nnothing = shelf_plugin:Nothing\n"
    )
    monkeypatch.syspath_prepend(site)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("target", ["shelf", "ready"])
def test_somebody_elses_target_uses_the_same_door(world: World, target: str, capsys: pytest.CaptureFixture[str]):
    made = world.release(make_graph())
    deployment = _deploy(world, made, target)
    assert deployment.target == target
    assert capsys.readouterr().out.split() == ["risk-api", str(made.ref), "7"]
    _deploy(world, made, target)
    assert capsys.readouterr().out == "", "it stands already"
    assert _deploy(world, made, "local").version == 2, "another target is another deployment"


@pytest.mark.usefixtures("plugin")
def test_what_a_target_refuses_is_not_deployed(world: World):
    with pytest.raises(Refused, match="the shelf is closed"):
        deploy(Change("closed", "ada"), world.release(make_graph()), "shelf", world.catalog, world.actors)
    assert world.catalog.list(Kind.DEPLOYMENT) == ()


@pytest.mark.usefixtures("plugin")
def test_what_is_no_target_is_refused():
    with pytest.raises(InvalidInput, match=r"has no method roll_out\(service, release\)"):
        load_target("nothing")
