"""The contract of an Outlet, kept by files in folders here and afar; how each format is written."""

import csv
import json
import os
import re
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.servers.azurite import ACCOUNT, blob_store
from tests.servers.azurite import KEY as ACCOUNT_KEY
from tests.servers.relay import relay
from tests.servers.seaweedfs import KEY, SECRET, object_store
from tests.servers.sshd import ssh_server

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.credentials import SecretRef
from drivetrain.core.errors import Forbidden, NotFound, Transient
from drivetrain.core.outlets.files import FilesOutlet
from drivetrain.deliver.outlet import Parcel, open_outlet
from drivetrain.testing.outlets import COLUMNS, OutletContract, parcel

WRONG = "not-the-secret"


def outlet(path, **options):
    return FilesOutlet.model_validate({"kind": "files", "path": path, "columns": COLUMNS, **options})


def lines(content):
    return [(row["id"], row["word"]) for row in csv.DictReader(content.splitlines())]


class TestCsv(OutletContract):
    refused_word = "snow ☃"
    options = {"encoding": "latin-1", "rows": 1000}  # noqa: RUF012 - nobody changes it

    def make(self, home):
        (home / "drop").mkdir()
        return outlet("drop", **self.options)

    def received(self, home):
        files = sorted((home / "drop").iterdir())
        assert [file for file in files if file.name.startswith(".")] == []
        return [row for file in files for row in lines(file.read_text("latin-1"))]


@pytest.mark.slow
class TestFixed(TestCsv):
    refused_word = "longer than the twenty-five places"
    options = {"format": "fixed", "widths": {"id": 10, "word": 25, "score": 8}}  # noqa: RUF012 - nobody changes it

    def received(self, home):
        text = [line for file in sorted((home / "drop").iterdir()) for line in file.read_text().splitlines()]
        assert {len(line) for line in text} <= {43}
        return [(line[:10].rstrip(), line[10:35].rstrip()) for line in text]


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory):
    with object_store(tmp_path_factory.mktemp("s3")) as store, relay(store.port) as wire:
        yield store, wire


class Afar(OutletContract):
    """What the stores afar have in common: a wire that can be cut."""

    @contextmanager
    def down(self, home):
        self.wire.broken, (self.wire.times, self.wire.after) = 0, (1000, 0)
        yield
        self.wire.times = 0


@pytest.mark.slow
class TestS3(Afar):
    secrets = KnownSecrets({"KEY": KEY, "SECRET": SECRET, "WRONG": WRONG}, Path())

    @pytest.fixture(autouse=True)
    def _server(self, s3_server, tmp_path):
        (self.store, self.wire), self.folder = s3_server, tmp_path.name
        obstore.put(self.store.bucket(), f"{self.folder}/beside/other.csv", b"not ours")

    def make(self, home):
        keys = {"access_key": {"env": "KEY"}, "secret_key": {"env": "SECRET"}}
        storage = {"endpoint": f"http://127.0.0.1:{self.wire.port}", "allow_http": True, **keys}
        return outlet(f"s3://words/{self.folder}/in/", storage=storage)

    def received(self, home):
        bucket = self.store.bucket()
        names = [meta["path"] for some in obstore.list(bucket, f"{self.folder}/in") for meta in some]
        contents = [bytes(obstore.get(bucket, name).bytes()).decode() for name in names]
        return [row for content in contents for row in lines(content)]

    def wrong_login(self, home):
        spec = self.make(home)
        return spec.model_copy(
            update={"storage": spec.storage.model_copy(update={"secret_key": SecretRef(env="WRONG")})}
        ), WRONG


@pytest.fixture(scope="module")
def sftp_server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server, relay(server.port) as wire:
        yield server, wire


@pytest.mark.slow
class TestSftp(Afar):
    @pytest.fixture(autouse=True)
    def _server(self, sftp_server, tmp_path):
        (self.server, self.wire), self.folder = sftp_server, tmp_path.name
        keys = {"KEY": self.server.private_key, "WRONG": self.server.other_key}
        self.secrets = KnownSecrets(keys, Path())
        (self.server.files / self.folder).mkdir()

    def make(self, home):
        base = f"sftp://{self.server.user}@127.0.0.1:{self.wire.port}{self.server.files}/{self.folder}"
        return outlet(base, storage={"private_key": {"env": "KEY"}, "host_key": self.server.fingerprint})

    def received(self, home):
        files = sorted((self.server.files / self.folder).iterdir())
        assert [file for file in files if file.name.startswith(".")] == []
        return [row for file in files for row in lines(file.read_text())]

    def wrong_login(self, home):
        spec = self.make(home)
        storage = spec.storage.model_copy(update={"private_key": SecretRef(env="WRONG")})
        return spec.model_copy(update={"storage": storage}), self.server.other_key.splitlines()[1]


def test_a_container_of_azure(tmp_path):
    place = Place(tmp_path, tmp_path, KnownSecrets({"KEY": ACCOUNT_KEY}, tmp_path))
    with blob_store(tmp_path) as azure:
        endpoint = f"http://127.0.0.1:{azure.port}/{ACCOUNT}"
        storage = {"account": ACCOUNT, "endpoint": endpoint, "allow_http": True, "secret_key": {"env": "KEY"}}
        twice(outlet("az://words/in", storage=storage), place)
        assert lines(bytes(obstore.get(azure.container(), "in/predictions-000000000001-k1.csv").bytes()).decode()) == [
            ("k1", "one")
        ]


def twice(spec, place):
    with closing(open_outlet(spec, place)) as opened:
        for _ in range(2):
            (receipt,) = opened.send(parcel([("k1", "one")]))
            assert receipt.said == "predictions-000000000001-k1.csv"
        assert opened.check()


MOMENT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
ROW = {
    "id": "k1", "n": 7, "x": 0.25, "yes": True, "at": MOMENT, "day": date(2026, 3, 4), "exact": Decimal("1.50"),
    "nested": {"age": 41}, "none": None,
}  # fmt: skip


def written(home, rows, **options):
    """The only file that these rows become."""
    (home / "drop").mkdir(exist_ok=True)
    table = pa.Table.from_pylist(rows)
    spec = outlet("drop", columns=dict.fromkeys(table.column_names, "1"), **options)
    with closing(open_outlet(spec, Place(home, home))) as opened:
        keys = tuple(row["id"] for row in rows)
        opened.send(Parcel(table, keys, tuple(range(1, len(rows) + 1))))
    (file,) = (home / "drop").iterdir()
    return file


def test_csv(tmp_path):
    text = written(tmp_path, [ROW, ROW | {"id": "k;2"}], delimiter=";", line_end="crlf").read_bytes().decode()
    assert text.split("\r\n") == [
        "id;n;x;yes;at;day;exact;nested;none",
        'k1;7;0.25;true;2026-03-04T05:06:07.000089Z;2026-03-04;1.50;"{""age"":41}";',
        '"k;2";7;0.25;true;2026-03-04T05:06:07.000089Z;2026-03-04;1.50;"{""age"":41}";',
        "",
    ]


def test_csv_without_a_header(tmp_path):
    assert written(tmp_path, [{"id": "k1", "n": 7}], header=False).read_text() == "k1,7\n"


def test_json_lines(tmp_path):
    file = written(tmp_path, [ROW], format="jsonl")
    assert file.name == "predictions-000000000001-k1.jsonl"
    assert json.loads(file.read_text()) == {
        "id": "k1", "n": 7, "x": 0.25, "yes": True, "at": "2026-03-04T05:06:07.000089Z", "day": "2026-03-04",
        "exact": 1.5, "nested": {"age": 41}, "none": None,
    }  # fmt: skip


def test_parquet(tmp_path):
    file = written(tmp_path, [ROW], format="parquet", name="risk")
    assert file.name == "risk-000000000001-k1.parquet"
    assert pq.read_table(file).to_pylist() == [ROW]


def test_fixed(tmp_path):
    widths = {"id": 4, "n": 5, "yes": 6, "exact": 6, "none": 2}
    file = written(tmp_path, [ROW], format="fixed", widths=widths, encoding="cp037")
    assert file.read_bytes().decode("cp037") == "k1      7true    1.50  \n"


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with closing(open_outlet(outlet("drop"), Place(tmp_path, tmp_path))) as opened:
        for ask in (opened.check, lambda: opened.send(parcel([("k1", "one")]))):
            with pytest.raises(NotFound, match="no_files"):
                ask()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_tried_again_and_a_folder_that_is_closed_is_not(tmp_path, monkeypatch):
    (tmp_path / "drop").mkdir()

    def fsync(handle):
        raise OSError(28, "No space left on device")

    with closing(open_outlet(outlet("drop"), Place(tmp_path, tmp_path))) as opened:
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(Transient, match="No space left"):
            opened.send(parcel([("k1", "one")]))
        assert list((tmp_path / "drop").iterdir()) == []

        def closed(handle):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "fsync", closed)
        with pytest.raises(Forbidden, match="Permission denied"):
            opened.send(parcel([("k1", "one")]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"path": "https://host/x"}, "nothing is put on a web server"),
        ({"path": "out/*.csv"}, "not into a glob"),
        ({"path": "ftp://host/x"}, "nothing reads ftp"),
        ({"path": "x", "format": "fixed"}, "needs `widths`"),
        ({"path": "x", "widths": {"id": 3}}, "needs `widths`"),
        ({"path": "x", "format": "fixed", "widths": {"other": 3}}, "'other', which is not one of `columns`"),
        ({"path": "x", "encoding": "utf-9"}, "no encoding 'utf-9'"),
    ],
)
def test_what_does_not_fit_together_is_a_mistake_in_the_project_file(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        outlet(**options)
