"""Files in object stores, on real servers that speak S3."""

import asyncio

import pytest
from obstore import put_async
from tests.ingest.afar.suite import Far, FolderContract, lines, read
from tests.servers.gate import gate_to
from tests.servers.seaweedfs import KEY, SECRET, object_store

from drivetrain.core.errors import NotFound
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


def test_thousands_of_keys_are_listed(s3, tmp_path):
    bucket = s3.store.bucket()

    async def fill():
        await asyncio.gather(*(put_async(bucket, f"many/{number:04}.csv", b"") for number in range(3000)))

    asyncio.run(fill())
    portions = open_reader(s3.spec("many/*.csv"), s3.place(tmp_path)).discover()
    assert [portion.name[-8:-4] for portion in portions] == [f"{number:04}" for number in range(3000)]
