"""Single files on web servers, on a real one."""

import os
import subprocess
import sys

import pytest
from tests.conftest import with_identities, write_small_project
from tests.ingest.afar.suite import Far, OneFileContract, large, lines, read
from tests.servers.gate import gate_to
from tests.servers.web_files import PASSWORD, USER, Ways, web_files

from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient
from drivetrain.core.sources.files import FilesSource


class Web(Far):
    def put(self, path, content):
        self.files.files[f"/private/{path}"] = content

    def remove(self, path):
        del self.files.files[f"/private/{path}"]


@pytest.fixture(scope="module")
def web():
    with web_files() as files, gate_to(files.port) as gate:
        storage = {"allow_http": True, "user": USER, "password": {"env": "PASSWORD"}}
        base = f"http://127.0.0.1:{gate.port}/private/"
        far = Web(base, storage, {"PASSWORD": PASSWORD}, gate, {"PASSWORD": "not-the-secret"})
        far.files = files
        yield far


@pytest.fixture
def server(web):
    web.files.ways, web.files.asked = Ways(), []
    return web


@pytest.fixture
def words(server):
    server.put("words.csv", lines([(1, "one"), (2, "two")]))
    return server.spec("words.csv")


class TestWeb(OneFileContract):
    pass


@pytest.mark.parametrize("ways", [Ways(head=False), Ways(length="chunked"), Ways(marks=False), Ways(ranges=False)])
def test_servers_differ(server, words, tmp_path, ways):
    server.files.ways = ways
    rows, cursor = read(words, server.place(tmp_path))
    assert rows == [("1", "one"), ("2", "two")]
    assert read(words, server.place(tmp_path), cursor)[0] == []
    server.put("words.csv", lines([(1, "one"), (2, "two"), (3, "six")]))
    assert read(words, server.place(tmp_path), cursor)[0] == [("3", "six")]


@pytest.mark.parametrize("ways", [Ways(ranges=False), Ways(marks=False), Ways(marks=False, length="chunked")])
def test_a_cut_connection_where_the_rest_cannot_be_asked_for(server, tmp_path, ways):
    server.files.ways = ways
    server.put("large.csv", large(3))
    server.gate.cut_after(2_000_000)
    rows, _ = read(server.spec("large.csv"), server.place(tmp_path))
    assert [int(number) for number, _ in rows] == list(range(3000))


def test_the_rest_is_asked_for_by_range(server, tmp_path):
    server.put("large.csv", large(3))
    server.gate.cut_after(2_000_000)
    read(server.spec("large.csv"), server.place(tmp_path))
    assert [asked.partition("=")[0] for asked in server.files.asked] == ["HEAD", "GET", "GET bytes"]


def test_what_has_no_end_that_can_be_told_is_not_read(server, words, tmp_path):
    server.files.ways = Ways(length="hidden")
    with pytest.raises(InvalidInput, match="where the file ends"):
        read(words, server.place(tmp_path))


def test_who_asks_to_come_back_later_is_asked_later(server, words, tmp_path):
    server.files.ways = Ways(answers=[429, 503])
    assert len(read(words, server.place(tmp_path))[0]) == 2
    assert server.files.asked == ["HEAD", "HEAD", "HEAD", "GET"]


@pytest.mark.parametrize(
    ("status", "family"), [(403, Forbidden), (410, NotFound), (418, InvalidInput), (500, Transient)]
)
def test_every_refusal_has_a_family_and_a_cure(server, words, tmp_path, status, family):
    server.files.ways = Ways(answers=[status] * 100)
    with pytest.raises(family) as caught:
        read(server.spec("words.csv", patience_seconds=0.1), server.place(tmp_path))
    assert caught.value.hint
    assert caught.value.where.endswith("/words.csv")


def test_a_token_that_cannot_be_sent(server, words, tmp_path):
    storage = {"allow_http": True, "token": {"env": "TOKEN"}}
    spec = FilesSource.model_validate({"kind": "files", "path": words.path, "storage": storage})
    with pytest.raises(InvalidInput, match="environment variable TOKEN") as caught:
        read(spec, server.place(tmp_path, {"TOKEN": ["sekrit\nsekrit"]}))
    assert "sekrit" not in f"{caught.value} {caught.value.hint}"


def test_a_file_that_moved_is_followed(server, words, tmp_path):
    moved = words.model_copy(update={"path": words.path.replace("/private/", "/moved/private/")})
    assert len(read(moved, server.place(tmp_path))[0]) == 2


def test_a_signature_in_the_query_is_not_shown(server, words, tmp_path):
    signed = words.model_copy(update={"path": words.path + "?signature=sekrit"})
    rows, cursor = read(signed, server.place(tmp_path))
    assert len(rows) == 2
    assert "sekrit" not in cursor
    gone = words.model_copy(update={"path": words.path + "s?signature=sekrit"})
    with pytest.raises(NotFound) as caught:
        read(gone, server.place(tmp_path))
    assert "sekrit" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


def test_from_the_project_file_by_the_command_line(server, tmp_path):
    """The credential comes from the environment of the command, and stays out of the project."""
    home = write_small_project(tmp_path / "small-risk")
    with_identities(home).catalog.close()
    server.put("loans.csv", (home / "data" / "january.csv").read_bytes())
    storage = f"{{allow_http: true, user: {USER}, password: {{env: WEB_WORD}}}}"
    there = f"path: {server.base}loans.csv\n    storage: {storage}"
    (home / "drivetrain.yaml").write_text((home / "drivetrain.yaml").read_text().replace("path: data/*.csv", there))
    command = [sys.executable, "-m", "drivetrain", "ingest", "loans", "--json"]
    environment = {**os.environ, "DRIVETRAIN_ACTOR": "mia", "WEB_WORD": PASSWORD}
    said = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False).stdout
    assert "dataset/loans@0" in said
    assert not any(PASSWORD.encode() in file.read_bytes() for file in home.rglob("*") if file.is_file())
