"""Files in object stores, on real servers that speak S3, and on emulators of Azure and Google."""

import asyncio
from base64 import b64encode

import pytest
from obstore import put_async
from tests.ingest.afar.suite import Far, FolderContract, Given, large, lines, read
from tests.servers.azurite import ACCOUNT, blob_store
from tests.servers.azurite import KEY as ACCOUNT_KEY
from tests.servers.fake_gcs import google_store
from tests.servers.gate import gate_to
from tests.servers.seaweedfs import KEY, SECRET, free_ports, object_store
from tests.servers.web_files import web_files

from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Transient
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.reading import open_reader


class S3(Far):
    store = None

    def put(self, path, content):
        self.store.bucket().put(path, content)

    def remove(self, path):
        self.store.bucket().delete(path)


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with object_store(tmp_path_factory.mktemp("weed")) as store, gate_to(store.port) as gate:
        storage = {
            "endpoint": f"http://127.0.0.1:{gate.port}",
            "allow_http": True,
            "access_key": {"env": "KEY"},
            "secret_key": {"env": "SECRET"},
        }
        far = S3("s3://words/", storage, {"KEY": KEY, "SECRET": SECRET}, gate, {"KEY": KEY, "SECRET": "not-the-secret"})
        far.store = store
        yield far


class TestS3(FolderContract):
    @pytest.fixture
    def server(self, s3):
        return s3


def test_a_bucket_that_is_not_there(s3, tmp_path):
    spec = s3.spec("in/").model_copy(update={"path": "s3://nobody/in/"})
    with pytest.raises(NotFound, match="bucket") as caught:
        open_reader(spec, s3.place(tmp_path)).discover()
    assert caught.value.where == "s3://nobody/in"


def test_a_public_bucket_wants_no_credentials(s3, tmp_path):
    s3.store.bucket("public").put("open/words.csv", lines([(1, "one")]))
    storage = {"endpoint": s3.storage["endpoint"], "allow_http": True, "anonymous": True}
    spec = type(s3.spec("x"))(kind="files", path="s3://public/open/words.csv", storage=storage)
    assert read(spec, s3.place(tmp_path))[0] == [("1", "one")]


def test_an_object_of_several_parts(s3, tmp_path):
    s3.put("parts/large.csv", large(20))
    before = s3.gate.passed
    s3.gate.cut_after(18_000_000)
    rows, _ = read(s3.spec("parts/large.csv"), s3.place(tmp_path))
    assert [int(number) for number, _ in rows] == list(range(20_000))
    assert s3.gate.passed - before < 24_000_000, "only the rest was asked for"


def test_thousands_of_keys_are_listed(s3, tmp_path):
    bucket = s3.store.bucket()

    async def fill():
        await asyncio.gather(*(put_async(bucket, f"many/{number:04}.csv", b"") for number in range(3000)))

    asyncio.run(fill())
    portions = open_reader(s3.spec("many/*.csv"), s3.place(tmp_path)).discover()
    assert [portion.name[-8:-4] for portion in portions] == [f"{number:04}" for number in range(3000)]


class Azure(Far):
    store = None

    def put(self, path, content):
        self.store.container().put(path, content)

    def remove(self, path):
        self.store.container().delete(path)


@pytest.fixture(scope="module")
def azure(tmp_path_factory):
    with blob_store(tmp_path_factory.mktemp("azurite")) as store, gate_to(store.port) as gate:
        storage = {
            "endpoint": f"http://127.0.0.1:{gate.port}/{ACCOUNT}",
            "allow_http": True,
            "account": ACCOUNT,
            "secret_key": {"env": "KEY"},
        }
        far = Azure("az://words/", storage, {"KEY": ACCOUNT_KEY}, gate, {"KEY": b64encode(b"another key").decode()})
        far.store = store
        yield far


class TestAzure(FolderContract):
    @pytest.fixture
    def server(self, azure):
        return azure


def test_a_container_that_is_not_there(azure, tmp_path):
    spec = azure.spec("in/").model_copy(update={"path": "az://nobody/in/"})
    with pytest.raises(NotFound, match="bucket"):
        open_reader(spec, azure.place(tmp_path)).discover()


def test_a_shared_access_signature(azure, tmp_path):
    azure.put("signed/words.csv", lines([(1, "one")]))
    storage = {key: azure.storage[key] for key in ("endpoint", "allow_http")} | {"token": {"env": "SAS"}}
    path = f"abfss://words@{ACCOUNT}.dfs.core.windows.net/signed/"
    spec = FilesSource.model_validate({"kind": "files", "path": path, "storage": storage})
    rows, cursor = read(spec, azure.place(tmp_path, {"SAS": [azure.store.sas("rl")]}))
    assert rows == [("1", "one")]
    assert "sig=" not in cursor
    with pytest.raises(Forbidden) as caught:
        read(spec, azure.place(tmp_path, {"SAS": [azure.store.sas("rl").replace("sp=rl", "sp=racwdl")]}))
    assert "sig=" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


class Google(Far):
    store = None

    def put(self, path, content):
        self.store.put(path, content)

    def remove(self, path):
        self.store.delete(path)


@pytest.fixture(scope="module")
def google():
    (port,) = free_ports(1)
    with gate_to(port) as gate, google_store(port, gate.port) as store:
        storage = {"endpoint": f"http://127.0.0.1:{gate.port}", "allow_http": True, "token": {"env": "TOKEN"}}
        far = Google("gs://words/", storage, {"TOKEN": "token-of-anybody"}, gate)
        far.store = store
        yield far


class TestGoogle(FolderContract):
    @pytest.fixture
    def server(self, google):
        return google


@pytest.mark.parametrize(
    ("path", "storage"),
    [
        ("gs://words/in/", {"service_account": {"env": "KEY"}}),
        ("az://words/in/", {"account": "lake", "secret_key": {"env": "KEY"}}),
        ("az://words/in/", {"account": "lake", "token": {"env": "KEY"}}),
    ],
)
def test_a_credential_of_another_kind_is_said_to_be_so_and_not_shown(tmp_path, path, storage):
    spec = FilesSource.model_validate({"kind": "files", "path": path, "storage": storage})
    with pytest.raises(InvalidInput) as caught:
        open_reader(spec, Place(tmp_path, tmp_path, Given({"KEY": ["no {key} at all"]}))).discover()
    assert caught.value.code == "storage_invalid"
    assert "no {key} at all" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


def test_a_public_bucket_of_google(google, tmp_path):
    google.put("open/words.csv", lines([(1, "one")]))
    storage = {"endpoint": google.storage["endpoint"], "allow_http": True, "anonymous": True}
    spec = FilesSource.model_validate({"kind": "files", "path": "gs://words/open/", "storage": storage})
    assert read(spec, google.place(tmp_path))[0] == [("1", "one")]


@pytest.mark.parametrize("path", ["s3://words/in/", "gs://words/in/", "az://words/in/"])
def test_no_credentials_on_a_machine_without_identity(tmp_path, monkeypatch, path):
    nowhere = f"127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://{nowhere}")
    monkeypatch.setenv("AZURE_MSI_ENDPOINT", f"http://{nowhere}/msi")
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "METADATA_HOST", "METADATA_IP"):
        monkeypatch.setenv(name, nowhere)
    storage = {"account": "lake"} if path.startswith("az") else {}
    spec = FilesSource.model_validate({"kind": "files", "path": path, "storage": {"patience_seconds": 0.1, **storage}})
    with pytest.raises(Forbidden, match="no identity at the cloud"):
        open_reader(spec, Place(tmp_path, tmp_path)).discover()


UNFIT = [
    ("s3://words/in/", {"access_key": {"env": "KEY"}, "secret_key": {"env": "KEY"}}),
    ("gs://words/in/", {"token": {"env": "KEY"}}),
    ("az://words/in/", {"account": "lake", "secret_key": {"env": "KEY"}}),
    ("az://words/in/", {"account": "lake", "token": {"env": "KEY"}}),
]


@pytest.mark.parametrize(("path", "storage"), UNFIT)
@pytest.mark.parametrize("text", ["two\nlines", "ünfit"])
def test_a_credential_that_cannot_be_sent(tmp_path, path, storage, text):
    spec = FilesSource.model_validate({"kind": "files", "path": path, "storage": storage})
    with pytest.raises(InvalidInput, match="environment variable KEY") as caught:
        open_reader(spec, Place(tmp_path, tmp_path, Given({"KEY": [text]}))).discover()
    assert text not in f"{caught.value} {caught.value.where} {caught.value.hint}"


def test_a_key_that_cannot_be_asked_for_is_said_to_be_there(tmp_path):
    key = "<Key>in//words.csv</Key><Size>1</Size><LastModified>2026-11-23T12:00:00Z</LastModified>"
    with web_files() as server:
        server.files["/words"] = f"<ListBucketResult><Contents>{key}</Contents></ListBucketResult>".encode()
        storage = {"endpoint": f"http://127.0.0.1:{server.port}", "allow_http": True, "anonymous": True}
        spec = FilesSource.model_validate({"kind": "files", "path": "s3://words/in/", "storage": storage})
        with pytest.raises(InvalidInput, match="empty or dots") as caught:
            open_reader(spec, Place(tmp_path, tmp_path)).discover()
    assert caught.value.hint


ANSWERS = [
    (301, InvalidInput, "region"),
    (400, InvalidInput, "refuses the request"),
    (401, Forbidden, "these credentials"),
    (403, Forbidden, "these credentials"),
    (404, NotFound, "bucket"),
    (429, Transient, "does not answer"),
    (503, Transient, "does not answer"),
]


@pytest.mark.parametrize(("status", "family", "said"), ANSWERS)
@pytest.mark.parametrize("path", ["s3://words/in/", "gs://words/in/", "az://words/in/"])
def test_every_refusal_has_a_family_and_a_cure(tmp_path, path, status, family, said):
    with web_files() as server:
        server.ways.answers = [status] * 100
        storage = {"endpoint": f"http://127.0.0.1:{server.port}", "allow_http": True, "patience_seconds": 0.1}
        storage |= {"token": {"env": "TOKEN"}} if path.startswith("gs") else {"anonymous": True}
        storage |= {"account": "lake"} if path.startswith("az") else {}
        spec = FilesSource.model_validate({"kind": "files", "path": path, "storage": storage})
        with pytest.raises(family, match=said) as caught:
            open_reader(spec, Place(tmp_path, tmp_path, Given({"TOKEN": ["sekrit"]}))).discover()
    assert caught.value.hint
    assert caught.value.where == path.rstrip("/")
