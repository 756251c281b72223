"""A project, opened: who acts, and what Python sees."""

import pytest

import drivetrain
from drivetrain.core.artifacts import Model, Release
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused
from drivetrain.core.refs import Ref
from drivetrain.core.roles import Role


def test_missing_project_says_what_to_do(tmp_path):
    with pytest.raises(NotFound, match="drivetrain init"):
        drivetrain.open(tmp_path)


def test_the_only_fitting_identity_acts(project):
    assert project.signer("train").actor.name == "mia"
    assert project.signer("approve").actor.name == "alex"


def test_named_actor_needs_the_role(project):
    with pytest.raises(Forbidden, match=r"mia \(ml-engineer\) may not approve"):
        project.as_actor("mia").signer("approve")
    with pytest.raises(NotFound, match="'nobody'"):
        project.as_actor("nobody").signer("train")


def test_two_fitting_identities_must_be_told_apart(project):
    project.add_actor("max", Role.ML_ENGINEER)
    with pytest.raises(InvalidInput, match="mia, max may all train"):
        project.signer("train")
    assert project.as_actor("max").signer("train").actor.name == "max"


def test_machine_without_keys_says_so(project, tmp_path):
    from drivetrain.core.settings import Settings

    stranger = type(project)(project.file, Settings(keys=tmp_path / "empty"))
    with pytest.raises(NotFound, match="holds no key"):
        stranger.signer("train")


def test_machine_of_the_other_role_may_not(project):
    (project.keys / "alex.pem").unlink()
    with pytest.raises(Forbidden, match="may not approve"):
        project.signer("approve")


def test_first_actors_enter_themselves_later_ones_need_the_role(project):
    with pytest.raises(Forbidden):
        project.as_actor("mia").add_actor("eve", Role.AI_ENGINEER)


def test_who_may_not_manage_actors_removes_nobody(project):
    with pytest.raises(Forbidden, match="may not manage actors"):
        project.as_actor("mia").remove_actor("alex")
    with pytest.raises(NotFound, match="'bob'"):
        project.remove_actor("bob")
    with pytest.raises(Refused, match="last who may manage"):
        project.remove_actor("alex")
    assert set(project.actors) == {"mia", "alex"}


def test_what_somebody_signed_who_was_removed_is_signed_again_under_the_same_name(released):
    made = released.approve()
    released.add_actor("max", Role.ML_ENGINEER)
    assert released.as_actor("alex").remove_actor("max") == (), "max signed nothing"
    released.add_actor("moe", Role.ML_ENGINEER)
    assert released.remove_actor("mia") == (made.ref,)
    with pytest.raises(Refused, match=r"which nobody in actors\.yaml has"):
        released.verify()
    again = released.as_actor("moe").run("release", force=True).steps[-1].ref
    assert again == made.ref
    released.approve()
    verified = released.verify()
    assert (verified.signed.actor, verified.approval.actor) == ("moe", "alex")


def test_api_keys_come_and_go(project):
    secret = project.add_key("shop")
    assert secret.startswith("dt_")
    assert project.key_names() == ("shop",)
    project.limit_key("shop", rows_per_day=5)
    (use,) = project.key_uses()
    assert (use.name, use.requests_per_second, use.rows_per_day, use.rows_today) == ("shop", None, 5, 0)
    project.revoke_key("shop")
    assert project.key_names() == ()


def test_jupyter_shows_a_table(released):
    html = released._repr_html_()
    assert "<table>" in html
    assert "fresh" in html
    assert html.count("<tr>") == 6


def test_wrong_kind_of_ref_is_named(released):
    with pytest.raises(InvalidInput, match="is a dataset, not a model"):
        released.get(Model, Ref.parse("dataset/loans@0"))


def test_approve_and_deploy_by_hand(released):
    with pytest.raises(NotFound, match="nothing is deployed"):
        released.deployment()
    approved = released.approve(comment="read the card")
    assert approved.approval.actor == "alex"
    assert released.get(Release, approved.ref) == approved
    assert released.verify().approval.comment == "read the card"
    deployment = released.deploy()
    assert released.deployment() == deployment
    assert released.plan().fresh
