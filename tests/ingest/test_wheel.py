"""A data set inside a wheel, fetched with the real pip from a folder of wheels; nothing leaves the machine."""

import gzip
import hashlib
import shutil
import sys

import pytest

from drivetrain.core.errors import InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.files import WheelSource
from drivetrain.testing.readers import ReaderContract

MEMBER = "somedata/words.csv.gz"


def packed(rows):
    return gzip.compress(("id,word\n" + "".join(f"{n},{w}\n" for n, w in rows)).encode(), mtime=0)


def spec_of(content, version="1.0", **changes):
    digest = hashlib.sha256(content).hexdigest()
    return WheelSource(
        **{"kind": "wheel", "package": "somedata", "version": version, "member": MEMBER, "sha256": digest, **changes}
    )


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    return tmp_path_factory.mktemp("fetched")


class TestWheel(ReaderContract):
    """The tests share what was fetched: pip takes a second for each wheel, and theirs are the same."""

    @pytest.fixture(autouse=True)
    def _index(self, wheel_index, fetched, home):
        self.index, self.fetched = wheel_index, fetched
        self.rows = []
        (home / ".drivetrain").mkdir()
        (home / ".drivetrain" / "cache").symlink_to(fetched)

    def make(self, home, rows):
        self.rows = [*self.rows, *rows]
        version = f"{len(self.rows)}.0"
        self.wheel = self.index(version, {MEMBER: packed(self.rows)})
        return spec_of(packed(self.rows), version)

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        self.wheel.unlink()
        for kept in self.fetched.iterdir():
            shutil.rmtree(kept)


def test_it_is_fetched_once_and_never_imported(project, wheel_index):
    content = packed([(1, "one")])
    wheel = wheel_index("1.0", {MEMBER: content, "somedata/__init__.py": b"raise SystemExit('imported')"})
    first = project.ingest(spec_of(content), "words")
    wheel.unlink()
    assert project.ingest(spec_of(content), "words") == first
    assert project.rows("words") == [{"id": 1, "word": "one"}]
    assert "somedata" not in sys.modules


def test_a_damaged_cache_is_fetched_again(project, wheel_index):
    content = packed([(1, "one")])
    wheel_index("1.0", {MEMBER: content})
    project.ingest(spec_of(content), "words")
    (kept,) = (project.catalog.state / "cache").rglob("words.csv.gz")
    kept.write_bytes(b"damaged")
    project.ingest(spec_of(content), "again")
    assert kept.read_bytes() == content


def test_another_content_than_promised_is_refused(project, wheel_index):
    wheel_index("1.0", {MEMBER: packed([(1, "one")])})
    with pytest.raises(Refused, match="the project promises 0000") as caught:
        project.ingest(spec_of(b"", sha256="0" * 64))
    assert caught.value.code == "sha256_differs"
    assert not list((project.catalog.state / "cache").rglob("words*"))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": "9.9"}, "wheel_unknown"),
        ({"package": "nodata"}, "wheel_unknown"),
        ({"member": "a.gz"}, "member_unknown"),
    ],
)
def test_what_does_not_exist_is_named(project, wheel_index, changes, code):
    wheel_index("1.0", {MEMBER: packed([(1, "one")])})
    with pytest.raises(NotFound) as caught:
        project.ingest(spec_of(b"", **changes))
    assert caught.value.code == code
    assert code == "wheel_unknown" or MEMBER in caught.value.hint


def test_a_wheel_that_is_no_archive(project, wheel_index):
    path = wheel_index("1.0", {})
    path.write_bytes(b"not a zip")
    with pytest.raises(InvalidInput) as caught:
        project.ingest(spec_of(b""))
    assert caught.value.code == "wheel_damaged"
    assert "somedata" in caught.value.where


def test_no_answer_is_transient(project, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(Transient, match="does not answer") as caught:
        project.ingest(spec_of(b""))
    assert "network" in caught.value.hint
