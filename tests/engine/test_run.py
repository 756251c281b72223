"""Running the stages: what is skipped, told, retried, refused."""

import os
from multiprocessing import get_context

import pytest
from tests.conftest import write_loans

from drivetrain.core.artifacts import Dataset, Features, Report
from drivetrain.core.errors import Forbidden, NotFound, Refused, Transient
from drivetrain.core.events import StageFailed, StageFinished, StageSkipped, StageStarted
from drivetrain.core.refs import Kind
from drivetrain.core.schema import Schema
from drivetrain.engine.run import run_stages
from drivetrain.engine.stages import Context, Stage
from drivetrain.store.locks import held


def test_run_makes_every_artifact_and_tells_of_it(project):
    events = []
    result = project.run(subscribers=[events.append])
    assert [step.stage for step in result.ran] == ["ingest", "prepare", "train", "validate", "release"]
    finished = [event for event in events if isinstance(event, StageFinished)]
    assert [event.stage for event in finished] == ["ingest", "prepare", "train", "validate", "release"]
    assert finished[0].found == "1,497 rows, 3 bad, quarantined"
    assert any(isinstance(event, StageStarted) and event.why == "never ran" for event in events)


def test_second_run_skips_everything(released):
    events = []
    result = released.run(subscribers=[events.append])
    assert result.ran == ()
    assert all(isinstance(event, StageSkipped) and event.why == "nothing changed" for event in events)


def test_new_rows_only(released):
    write_loans(released.home / "data" / "february.csv", range(1500, 1600))
    released.run("prepare")
    dataset = released.catalog.latest(Dataset, "loans")
    assert (dataset.rows, dataset.version) == (1597, 1)


def test_replayed_rows_reach_the_features(released):
    edited = released.file.read_text().replace("min: 18, max: 120", "min: 5, max: 120")
    released.file.write_text(edited)
    wider = type(released)(released.file)
    wider.run("prepare")
    wider.run("ingest", source="loans", replay=True, force=True)
    wider.run("prepare")
    features = wider.catalog.latest(Features, "small-risk")
    wider.catalog.close()
    assert sum(part.rows for part in features.parts) == 1500


def test_one_stage_is_forced(released):
    result = released.run("validate", force=True)
    assert [step.stage for step in result.ran] == ["validate"]


def test_failed_gate_refuses_the_release_and_an_override_is_recorded(released):
    text = released.file.read_text().replace("roc_auc: {min: 0.6}", "roc_auc: {min: 0.999}")
    released.file.write_text(text)
    strict = type(released)(released.file)
    events = []
    with pytest.raises(Refused, match="roc_auc"):
        strict.run(subscribers=[events.append])
    assert isinstance(events[-1], StageFailed)
    assert strict.catalog.latest(Report, "small-risk").verdict == "fail"
    strict.run(override="a pilot, agreed by the board")
    assert strict.release().override == "a pilot, agreed by the board"
    strict.catalog.close()


def test_unknown_source_names_the_others(project):
    with pytest.raises(NotFound, match="sources: loans"):
        project.run("ingest", source="orders")


def test_role_that_may_not_is_refused(project):
    with pytest.raises(Forbidden, match=r"alex \(ai-engineer\) may not train"):
        project.as_actor("alex").run("train")


def _dataset_stage(make):
    return Stage("ingest", "loans", lambda context: {"data": "1"}, make)


def test_transient_error_is_retried(project):
    tries = []

    def make(context, progress):
        tries.append(1)
        if len(tries) < 3:
            raise Transient("down", "the source is down")
        return Dataset("loans", 0, "d", 1, 0, Schema(()))

    context = Context(project.spec, project.home, project.catalog)
    result = run_stages([_dataset_stage(make)], context, [])
    assert len(tries) == 3
    assert result.steps[0].ref.kind is Kind.DATASET


def test_final_error_is_not_retried(project):
    tries = []

    def make(context, progress):
        tries.append(1)
        raise Refused("no", "no")

    context = Context(project.spec, project.home, project.catalog)
    with pytest.raises(Refused):
        run_stages([_dataset_stage(make)], context, [])
    assert tries == [1]


def _hold(state, holding, done):
    with held(state / "lock", "it"):
        holding.set()
        done.wait(30)


def test_two_runs_do_not_meet(project):
    context = get_context("spawn")
    holding, done = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(project.catalog.state, holding, done))
    holder.start()
    assert holding.wait(30)
    with pytest.raises(Transient, match=f"process {holder.pid}"):
        project.run()
    done.set()
    holder.join()
    with held(project.catalog.state / "lock", "it"):
        assert (project.catalog.state / "lock").read_text() == str(os.getpid())
