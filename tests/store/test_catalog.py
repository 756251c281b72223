import multiprocessing

import pytest

from drivetrain.core.artifacts import CLASSES, Dataset, Estimate, Model
from drivetrain.core.errors import NotFound
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import Column, ColumnType, Schema
from drivetrain.store.catalog import Catalog


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
