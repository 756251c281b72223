"""What lies in the cache folder while files from afar are read."""

import fcntl
import resource

import pytest
from tests.ingest.afar.suite import lines, read
from tests.servers.web_files import web_files

from drivetrain.connect.place import Place
from drivetrain.core.errors import Transient
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.reading import open_reader


@pytest.fixture
def files():
    with web_files() as server:
        server.files["/words.csv"] = lines([(1, "one")])
        yield server


@pytest.fixture
def words(files):
    path = f"http://127.0.0.1:{files.port}/words.csv"
    return FilesSource.model_validate({"kind": "files", "path": path, "storage": {"allow_http": True}})


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_holds_is_not(words, tmp_path):
    (tmp_path / "afar").mkdir()
    for name in ("fetched-dead", "fetched-alive"):
        (tmp_path / "afar" / name).write_text("half a file")
    with (tmp_path / "afar" / "fetched-alive").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        read(words, Place(tmp_path, tmp_path))
    assert [file.name for file in (tmp_path / "afar").iterdir()] == ["fetched-alive"]


def test_a_reading_that_is_left_leaves_nothing(words, tmp_path):
    items = open_reader(words, Place(tmp_path, tmp_path)).read("")
    next(items)
    assert [file.stat().st_size for file in (tmp_path / "afar").iterdir()] == [len(lines([(1, "one")]))]
    items.close()
    assert not list((tmp_path / "afar").iterdir())


def test_two_readings_at_once_do_not_meet(files, words, tmp_path):
    files.files["/others.csv"] = lines([(2, "two")])
    others = words.model_copy(update={"path": words.path.replace("words", "others")})
    place = Place(tmp_path, tmp_path)
    one, two = (open_reader(spec, place).read("") for spec in (words, others))
    found = [next(one).rows["word"][0].as_py(), next(two).rows["word"][0].as_py()]
    assert found == ["one", "two"]
    assert len(list((tmp_path / "afar").iterdir())) == 2
    for items in (one, two):
        items.close()


def test_a_full_disk_is_a_passing_fault_with_a_cure(files, words, tmp_path):
    files.files["/words.csv"] = lines([(number, "word" * 20) for number in range(10_000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(Transient) as caught:
            read(words, Place(tmp_path, tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "cache_unwritable"
    assert "room" in caught.value.hint
    assert not list((tmp_path / "afar").iterdir())


def test_a_cache_that_cannot_be_written(words, tmp_path):
    (tmp_path / "afar").write_text("a file stands where the folder belongs")
    with pytest.raises(Transient) as caught:
        read(words, Place(tmp_path, tmp_path))
    assert caught.value.code == "cache_unwritable"
