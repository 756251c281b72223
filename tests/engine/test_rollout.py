"""The verbs of a rollout on a project: who may, what is written down, and what stands in the way."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from drivetrain.core.artifacts import Deployment
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.roles import Role
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.engine.rollout import rule_of
from drivetrain.store.models import Scorer
from drivetrain.store.segments import PredictionLog
from drivetrain.testing.graphs import again, draw, flipped, logistic_model
from drivetrain.testing.releases import ReleaseMaker

FILE = """\
project: loans
sources: {loans: {kind: files, path: data/*.csv}}
features: {spine: spine.sql, entity: case, label: default, tables: {loan: {sql: loan.sql}}}
service: {canary: {max_flipped: 0.05, rows: 300}}
"""


@pytest.fixture
def opened(tmp_path):
    """A project, its releases made by hand; mia and ada act."""
    (tmp_path / "drivetrain.yaml").write_text(FILE)
    project = Project(tmp_path, Settings(keys=tmp_path / "keys"))
    yield project
    project.catalog.close()


@pytest.fixture
def maker(opened):
    return ReleaseMaker(opened.home)


@pytest.fixture
def champion(opened, maker):
    made = maker.release(logistic_model())
    opened.deploy(made.ref)
    return made


def record(opened, release, rows, first=0):
    """Journal what the good model answers."""
    content = logistic_model()
    log = PredictionLog(opened.catalog.journal_path("loans"), release.ref, content.signature)
    records = np.zeros(len(rows), log.dtype)
    records["id"] = [b"p%05d" % number for number in range(first, first + len(rows))]
    records["at"] = int(datetime.now(UTC).timestamp() * 1e6) + np.arange(len(rows))
    records["score"] = Scorer(content.graph).score(rows)
    records["decision"] = records["score"] >= 0.5
    records["caller"] = log.caller("shop")
    records["row"] = rows
    log.append(records)
    log.close()


def test_the_whole_way_stands_in_the_history(opened, maker, champion):
    record(opened, champion, draw(200))
    better = maker.release(again(logistic_model()))
    opened.shadow(better.ref, 1.0, "a week beside it")
    canary = opened.canary(better.ref, 0.1, "no flip in a week")
    assert canary.replay.recorded == 200
    assert canary.deployment.canary == CanaryRule(max_flipped=0.05, rows=300)
    opened.promote("two weeks without an alarm")
    opened.roll_back(reason="complaints")
    history = opened.deployments()
    assert [each.version for each in history] == [1, 2, 3, 4, 5]
    assert [each.champion == better.ref for each in history] == [False, False, False, True, False]
    assert [each.actor for each in history] == ["ada"] * 5
    assert history[3].reason == "two weeks without an alarm"
    assert opened.deployment() == history[-1]
    for each in history:
        assert opened.deployment_at(datetime.fromisoformat(each.at)).version >= each.version
    with pytest.raises(NotFound, match="nothing served loans"):
        opened.deployment_at(datetime.fromisoformat(history[0].at) - timedelta(seconds=1))


def test_a_canary_that_flips_is_refused_unless_somebody_says_why(opened, maker, champion):
    record(opened, champion, draw(200))
    worse = maker.release(flipped())
    with pytest.raises(Refused, match="max_flipped") as refused:
        opened.canary(worse.ref, 0.1)
    assert refused.value.code == "replay_out_of_bounds"
    assert len(opened.deployments()) == 1, "nothing was changed"
    made = opened.canary(worse.ref, 0.1, "new target", override="yes means no since May")
    assert made.replay.verdict == "fail"
    assert made.deployment.reason == "new target; override: yes means no since May"


def test_a_canary_without_anything_recorded_is_not_replayed(opened, maker, champion):
    assert opened.canary(maker.release(flipped()).ref, 0.1).replay is None
    assert opened.replay(maker.release(again(logistic_model())).ref) is None


def test_a_second_trial_is_refused_before_the_replay(opened, maker, champion):
    opened.canary(maker.release(flipped()).ref, 0.1)
    with pytest.raises(InvalidInput, match="one challenger at a time"):
        opened.canary(maker.release(again(logistic_model())).ref, 0.1)


def test_a_prediction_is_traced_to_the_deployment_that_served_when_it_was_made(opened, maker, champion):
    record(opened, champion, draw(3))
    better = maker.release(again(logistic_model()))
    opened.canary(better.ref, 0.1, "new bureau data")
    record(opened, champion, draw(2), first=3)
    opened.promote()
    record(opened, champion, draw(1), first=5)  # a worker that had not taken it up yet
    record(opened, better, draw(1), first=6)

    def served(number):
        step = next(step for step in opened.trace(f"p{number:05}").steps if step.what == "deployment")
        return step.name, dict(step.facts)

    assert served(2)[0] == "deployment/loans@1"
    name, facts = served(3)
    assert name == "deployment/loans@2"
    assert (facts["trial"], facts["why"], facts["by"]) == (str(better.ref), "new bureau data", "ada")
    assert served(5)[0] == "deployment/loans@2"
    assert served(6)[0] == "deployment/loans@3"


def test_the_same_deployment_again_is_not_entered_twice(opened, champion):
    assert opened.deploy(champion.ref) == opened.deployment()
    assert len(opened.deployments()) == 1


def test_the_ml_engineer_may_roll_back_and_replay_but_not_deploy(opened, maker, champion):
    better = maker.release(again(logistic_model()))
    mia = opened.as_actor("mia")
    for refused in (
        lambda: mia.deploy(better.ref), lambda: mia.shadow(better.ref), lambda: mia.canary(better.ref), mia.promote
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="may not deploy"):
            refused()
    opened.canary(better.ref, 0.1)
    assert mia.replay(better.ref) is None
    assert mia.roll_back().actor == "mia"


def test_an_auditor_may_only_look(opened, maker, champion):
    opened.as_actor("ada").add_actor("eve", Role.AUDITOR)
    eve = opened.as_actor("eve")
    assert len(eve.deployments()) == 1
    with pytest.raises(Forbidden):
        eve.roll_back()
    with pytest.raises(Forbidden):
        eve.replay(champion.ref)


def test_going_back_to_a_deployment_by_its_ref(opened, maker, champion):
    first = opened.deployment()
    opened.deploy(maker.release(flipped()).ref)
    back = opened.roll_back(to=first.ref)
    assert (back.champion, back.reason) == (champion.ref, "back to deployment/loans@1")
    with pytest.raises(NotFound):
        opened.roll_back(to=type(first.ref)(first.ref.kind, "loans", "99"))
    with pytest.raises(InvalidInput, match="is a release, not a deployment"):
        opened.roll_back(to=champion.ref)


def test_whoever_comes_second_is_told(opened, maker, champion, monkeypatch):
    """The live judge writes between this command's look and its word."""
    better = maker.release(again(logistic_model()))
    look = type(opened.catalog).latest

    def look_then_somebody_else_writes(catalog, cls, name):
        seen = look(catalog, cls, name)
        if cls is Deployment and seen is not None and seen.version == 1:
            monkeypatch.undo()
            maker.deploy(better)
        return seen

    monkeypatch.setattr(type(opened.catalog), "latest", look_then_somebody_else_writes)
    with pytest.raises(Transient, match="somebody else changed what serves"):
        opened.deploy(maker.release(flipped()).ref)
    assert opened.deployment().champion == better.ref


def test_the_rule_of_the_project_file_is_the_rule_of_the_deployment(opened):
    assert rule_of(opened.spec.service.canary) == CanaryRule(max_flipped=0.05, rows=300)
