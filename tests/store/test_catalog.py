import multiprocessing
from datetime import UTC, datetime, timedelta, timezone

import pytest

from drivetrain.core.artifacts import CLASSES, Dataset, Deployment, Estimate, Model, TrafficShare
from drivetrain.core.errors import NotFound, Transient
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.store.catalog import Catalog, now


def dataset(version=0):
    schema = Schema((Column("id", ColumnType.INTEGER, nullable=False),))
    return Dataset("loans", version, f"digest{version}", 10, 1, schema)


def model(parent):
    return Model("risk", "f" * 64, "xgboost", Estimate("roc_auc", 0.8, 0.7, 0.9, 100), (), (parent.ref,))


@pytest.fixture
def catalog(tmp_path):
    with Catalog(tmp_path) as catalog:
        yield catalog


def test_artifact_comes_back_as_it_was(catalog):
    assert catalog.put(dataset()) == Ref(Kind.DATASET, "loans", "0")
    assert catalog.get(Dataset, dataset().ref) == dataset()
    assert catalog.find(dataset().ref) == dataset()


def test_newest_is_the_one_put_last(catalog):
    catalog.put(dataset(0))
    catalog.put(dataset(1))
    assert catalog.latest(Dataset, "loans") == dataset(1)
    assert catalog.latest(Dataset, "orders") is None
    assert [str(entry.ref) for entry in catalog.list(Kind.DATASET)] == ["dataset/loans@0", "dataset/loans@1"]


def test_lineage_is_walked_both_ways(catalog):
    catalog.put(dataset())
    catalog.put(model(dataset()), actor="mia")
    assert catalog.ancestors(model(dataset()).ref) == (dataset().ref,)
    assert catalog.children(dataset().ref) == (model(dataset()).ref,)
    assert catalog.list(Kind.MODEL)[0].actor == "mia"


def test_short_digest_is_enough_and_unknown_is_named(catalog):
    catalog.put(dataset())
    catalog.put(model(dataset()))
    assert catalog.get(Model, Ref(Kind.MODEL, "risk", "fff")).digest == "f" * 64
    with pytest.raises(NotFound, match="there is no model/risk@eee"):
        catalog.get(Model, Ref(Kind.MODEL, "risk", "eee"))
    with pytest.raises(NotFound):
        catalog.get(Dataset, Ref(Kind.DATASET, "loans", "7"))


def test_result_of_a_stage_is_remembered(catalog):
    catalog.put(dataset())
    assert catalog.result("key") is None
    catalog.finish("ingest", "loans", "key", "{}", dataset().ref)
    assert catalog.result("key") == dataset().ref
    record = catalog.stage("ingest", "loans")
    assert record is not None
    assert record.ref == dataset().ref


def test_catalog_stays_after_closing(tmp_path):
    with Catalog(tmp_path) as first:
        first.put(dataset())
    with Catalog(tmp_path) as second:
        assert second.latest(Dataset, "loans") == dataset()


def _put_many(home, start):
    with Catalog(home) as catalog:
        for number in range(start, start + 20):
            catalog.put(dataset(number))


def test_several_processes_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_put_many, args=(tmp_path, start)) for start in (0, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with Catalog(tmp_path) as catalog:
        assert len(catalog.list(Kind.DATASET)) == 40


def test_every_kind_has_its_class():
    assert set(CLASSES) == set(Kind)


def deployment(version, at, actor="axel"):
    release = Ref(Kind.RELEASE, "risk", "a" * 12)
    return Deployment("risk", version, "local", (TrafficShare(release, 1.0),), actor, at, (release,))


def test_who_served_at_a_time_is_one_question(catalog):
    for version in (1, 2, 3):
        catalog.follow(deployment(version, f"2026-11-0{version}T12:00:00.000000+00:00"), actor="axel")
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    assert catalog.deployment_at("risk", noon).version == 2, "from its own time on"
    assert catalog.deployment_at("risk", noon - timedelta(microseconds=1)).version == 1
    assert catalog.deployment_at("risk", noon.astimezone(timezone(timedelta(hours=9)))).version == 2
    assert catalog.deployment_at("risk", noon + timedelta(days=300)).version == 3
    assert catalog.deployment_at("risk", noon - timedelta(days=2)) is None
    assert catalog.deployment_at("fraud", noon) is None


def test_the_history_of_a_service_is_in_the_order_of_its_versions(catalog):
    at = "2026-11-01T12:00:00.000000+00:00"
    for version in range(1, 12):
        catalog.follow(deployment(version, at), actor="axel")
    assert catalog.deployments("risk") == tuple(deployment(version, at) for version in range(1, 12))
    assert catalog.deployments("fraud") == ()
    assert catalog.names(Kind.DEPLOYMENT) == ("risk",)
    catalog.put(dataset(0))
    catalog.put(dataset(1))
    assert catalog.names(Kind.DATASET) == ("loans",)
    assert catalog.names(Kind.MODEL) == ()


def test_only_the_next_deployment_follows(catalog):
    at = "2026-11-01T12:00:00.000000+00:00"
    for wrong in (0, 2):
        with pytest.raises(Transient, match="somebody else changed what serves risk"):
            catalog.follow(deployment(wrong, at), actor="axel")
    for version in range(1, 12):  # beyond 9: versions are numbers, not texts
        catalog.follow(deployment(version, at), actor="axel")
    with pytest.raises(Transient) as refused:
        catalog.follow(deployment(11, at, actor="judge"), actor="judge")
    assert refused.value.code == "deployment_changed"
    assert catalog.latest(Deployment, "risk") == deployment(11, at)
    assert catalog.parents(deployment(13, at).ref) == (), "a refused one leaves nothing behind"


def _follow_many(home, actor):
    """Everyone reads what stands and writes the next one, as the command line and the live judge do."""
    with Catalog(home) as catalog:
        entered = 0
        while entered < 15:
            standing = catalog.latest(Deployment, "risk")
            version = standing.version + 1 if standing else 1
            try:
                catalog.follow(deployment(version, now(), actor), actor=actor)
                entered += 1
            except Transient:
                continue


def test_two_writers_at_once_overwrite_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_follow_many, args=(tmp_path, actor)) for actor in ("axel", "judge")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    with Catalog(tmp_path) as catalog:
        entries = catalog.list(Kind.DEPLOYMENT, "risk")
        assert sorted(int(entry.ref.version) for entry in entries) == list(range(1, 31))
        assert sum(entry.actor == "judge" for entry in entries) == 15, "everyone's steps are all there"
