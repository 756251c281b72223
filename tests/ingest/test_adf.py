"""The kind ``adf`` against a double of Azure Data Factory's REST API: the contract, runs, and faults."""

import json
from pathlib import Path

import pytest
from tests.servers.adf import data_factory

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.pipelines import AdfSource
from drivetrain.ingest.ingest import ingest
from drivetrain.ingest.reading import Batch, open_reader
from drivetrain.testing.readers import ReaderContract

SECRETS = KnownSecrets({"ADF_SECRET": "warm-sea", "OLD_SECRET": "cold-sea"}, Path())


@pytest.fixture
def factory():
    with data_factory() as found:
        yield found


def source(service, **options):
    place = {"subscription": "sub-1", "resource_group": "rg", "factory": "plant", "pipeline": "nightly"}
    client = {"tenant": "t-1", "client_id": "c-1", "client_secret": {"env": "ADF_SECRET"}}
    addresses = {"management": service.url, "login": service.url}
    quick = {"deadline_seconds": 5, "poll_seconds": 0.01, "retry_seconds": 3}
    then = {"kind": "files", "path": "out/*.jsonl"}
    return AdfSource.model_validate({"kind": "adf", **place, **client, **addresses, **quick, "then": then, **options})


class TestPipeline(ReaderContract):
    """A pipeline that is waited for: its newest run, then the files that it wrote."""

    secrets = SECRETS

    @pytest.fixture(autouse=True)
    def _factory(self, factory):
        self.factory = factory
        factory.pipelines["nightly"] = lambda: None

    def make(self, home, rows):
        (home / "out").mkdir()
        return self.add(home, rows)

    def add(self, home, rows):
        lines = "".join(json.dumps({"id": number, "word": word}) + "\n" for number, word in rows)
        (home / "out" / f"{len(self.factory.runs)}.jsonl").write_text(lines)
        self.factory.begin("nightly", by="ScheduleTrigger")
        return source(self.factory, run="wait")

    def remove(self, home):
        self.factory.pipelines.clear()
        self.factory.runs.clear()


@pytest.fixture
def written(factory, project):
    """``written()``: how many files the pipeline wrote; each run writes one row more."""
    folder = project.home / "out"
    folder.mkdir()

    def write():
        number = len(list(folder.iterdir()))
        (folder / f"{number}.jsonl").write_text(json.dumps({"id": number}) + "\n")

    factory.pipelines["nightly"] = write
    return lambda: len(list(folder.iterdir()))


def load(project, spec):
    return ingest(spec, "things", project.catalog, secrets=SECRETS)


def reader_of(project, spec):
    return open_reader(spec, Place(project.home, project.catalog.state / "cache", SECRETS))


def test_each_load_starts_a_run_and_reads_what_it_wrote(factory, project, written):
    spec = source(factory, parameters={"day": "2026-03-01", "full": True, "rows": 5})
    factory.looks = 4
    for number in range(1, 4):
        assert load(project, spec).rows == number
    assert (len(factory.runs), project.column("id", "things")) == (3, [0, 1, 2])
    first = next(iter(factory.runs.values()))
    assert first["parameters"] == {"day": "2026-03-01", "full": "True", "rows": "5"}


def test_a_run_that_writes_nothing_is_done_with(factory, project, written):
    load(project, source(factory))
    factory.pipelines["nightly"] = lambda: None
    for number in (2, 3):
        assert load(project, source(factory)).rows == 1
        assert len(factory.runs) == number


def test_a_load_that_ended_early_goes_on_with_its_run(factory, project, written):
    factory.looks = 1_000_000
    with pytest.raises(Transient, match="is InProgress after") as caught:
        load(project, source(factory, deadline_seconds=0.1))
    assert caught.value.code == "pipeline_running"
    (run,) = factory.runs
    assert f"/pipelineruns/{run}?factory=%2Fsubscriptions%2Fsub-1" in caught.value.hint
    factory.looks = 1
    reading = reader_of(project, source(factory)).read("")
    assert isinstance(next(reading), Batch)
    reading.close()
    assert load(project, source(factory)).rows == 1
    assert len(factory.runs) == 1


@pytest.mark.parametrize("faults", [["lost"], [503], ["lost", 500, 429]])
def test_a_run_of_which_nobody_heard_whether_it_began_is_looked_for(factory, project, written, faults):
    spec = source(factory, parameters={"day": "1"})
    factory.begin("nightly", {"day": "1"}, by="ScheduleTrigger")
    factory.begin("nightly", {"day": "2"})
    factory.faults += [None, *faults]
    assert load(project, spec).rows == 1
    assert len(factory.runs) == 3


def test_a_load_that_was_killed_while_it_started_a_run_finds_it(factory, project, written, monkeypatch):
    spec = source(factory)
    reader = reader_of(project, spec)

    def killed():
        factory.begin("nightly")
        raise KeyboardInterrupt

    monkeypatch.setattr(reader._factory, "start", killed)
    with pytest.raises(KeyboardInterrupt):
        list(reader.read(""))
    assert load(project, spec).rows == 1
    assert len(factory.runs) == 1


def test_a_run_that_fails_says_why_and_where_and_the_next_load_starts_another(factory, project, written):
    factory.ending = ("Failed", "Operation on target Copy failed: no such container")
    with pytest.raises(Refused, match="no such container") as caught:
        load(project, source(factory))
    (run,) = factory.runs
    assert caught.value.code == "pipeline_failed"
    assert run in caught.value.message
    assert "https://adf.azure.com/" in caught.value.hint
    factory.ending = ("Succeeded", "")
    assert load(project, source(factory)).rows == 1
    assert len(factory.runs) == 2


def test_it_waits_for_the_newest_run_that_others_start(factory, project, written):
    spec = source(factory, run="wait")
    with pytest.raises(NotFound, match="no run") as caught:
        load(project, spec)
    assert caught.value.code == "pipeline_not_run"
    factory.begin("nightly", by="ScheduleTrigger")
    factory.looks = 3
    assert load(project, spec).rows == 1
    looked = len(factory.asked)
    assert load(project, spec).rows == 1
    assert [path for path in factory.asked[looked:] if "pipelineruns" in path] == []
    factory.begin("nightly", by="ScheduleTrigger")
    factory.ending = ("Cancelled", "")
    with pytest.raises(Refused, match="is Cancelled"):
        load(project, spec)
    assert len(factory.runs) == 2


def test_tokens_that_expire_and_a_service_that_is_busy(factory, project, written):
    spec = source(factory)
    reader = reader_of(project, spec)
    reader.discover()
    factory.expire()
    factory.faults += [429, 503, None, 429]
    assert list(reader.read(""))
    assert len(factory.runs) == 1


def test_a_client_that_is_refused_and_a_pipeline_that_is_not_there(factory, project, written):
    with pytest.raises(Forbidden, match="AADSTS7000215") as caught:
        load(project, source(factory, client_secret={"env": "OLD_SECRET"}))
    assert "sea" not in f"{caught.value} {caught.value!r}"
    for wrong in ({"pipeline": "other"}, {"factory": "other"}):
        with pytest.raises(NotFound) as caught:
            load(project, source(factory, **wrong))
        assert caught.value.code == "pipeline_unknown"
    with pytest.raises(Transient):
        load(project, source(factory, login="http://127.0.0.1:9", retry_seconds=0))


def test_the_contract_is_that_of_the_rows(factory, project, written):
    spec = source(factory, contract={"columns": {"id": {"type": "integer", "max": 0}}, "max_bad_share": 1})
    assert spec.then.contract == spec.contract
    assert load(project, spec).quarantined == 0
    assert load(project, spec).quarantined == 1
    with pytest.raises(ValueError, match="beside `then`"):
        source(factory, then={"kind": "files", "path": "x", "contract": {}})


def test_an_answer_that_is_none(factory, project, written):
    factory.begin = lambda *_: None
    with pytest.raises(InvalidInput, match="not as documented") as caught:
        load(project, source(factory))
    assert caught.value.code == "adf_answer"
