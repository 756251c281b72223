"""Options of storage that do not fit are found before anything is asked."""

import pytest
from pydantic import ValidationError

from drivetrain.core.sources.files import FilesSource

KEY = {"env": "KEY"}


def source(path, **storage):
    return FilesSource.model_validate({"kind": "files", "path": path, "storage": storage})


@pytest.mark.parametrize(
    ("path", "storage"),
    [
        ("data/*.csv", {}),
        ("s3://bucket/in/", {"access_key": KEY, "secret_key": KEY, "endpoint": "https://store"}),
        ("gs://bucket/in/", {"service_account": KEY}),
        ("az://container/in/", {"account": "lake", "secret_key": KEY}),
        ("abfss://container@lake.dfs.core.windows.net/in/", {"token": KEY}),
        ("https://host/words.csv", {"token": KEY}),
        ("http://host/words.csv", {"allow_http": True}),
        ("s3://bucket", {"endpoint": "https://[::1]:9000/tenant"}),
        ("s3://bucket/", {"endpoint": "http://store", "allow_http": True}),
        ("s3://bucket/day=2026-*/ä b [1].csv", {"region": "eu-west-1"}),
        ("sftp://user@host/in/", {"private_key": KEY}),
        ("sftp://host/in/", {"user": "me", "password": KEY}),
    ],
)
def test_what_fits(path, storage):
    assert source(path, **storage).is_afar == ("://" in path)


@pytest.mark.parametrize(
    ("path", "storage", "said"),
    [
        ("ftp://host/in/", {}, "nothing reads ftp://; s3, gs, "),
        ("s3:///in/", {}, "name a bucket or host"),
        ("sftp://user:word@host/in/", {}, "a password stands in the path"),
        ("https://host/*.csv", {}, "a web server lists no files"),
        ("http://host/words.csv", {}, "can be read on the way"),
        ("s3://bucket/in/", {"endpoint": "http://store"}, "speaks HTTP without TLS"),
        ("s3://bucket/in/", {"access_key": KEY}, "needs its `secret_key`"),
        ("s3://bucket/in/", {"host_key": "SHA256:x"}, "`storage: host_key` is of no use for s3://"),
        ("data/*.csv", {"token": KEY}, "is of no use for files of this machine"),
        ("sftp://user@host/in/", {}, "needs `storage` with a `private_key` or a `password`"),
        ("sftp://host/in/", {"password": KEY}, "needs a user"),
        ("az://container/in/", {}, "account"),
        ("abfss://container/in/", {}, "write abfss://container@account"),
        ("s3://bucket/in/", {"patience_seconds": 0}, "greater than 0"),
        ("s3://bad bucket/in/", {}, "no name of a bucket"),
        ("s3://bucket/in//words.csv", {}, "the parts of a key"),
        ("gs://bucket/../words.csv", {}, "the parts of a key"),
        ("az://container/in/\x00", {"account": "lake"}, "the parts of a key"),
        ("s3://bucket/in/", {"endpoint": "store.example.com"}, "is no address"),
        ("s3://bucket/in/", {"endpoint": "https://a b"}, "is no address"),
        ("s3://bucket/in/", {"endpoint": "https://store:99999"}, "out of range"),
        ("s3://bucket/in/", {"region": "eu west"}, "should match pattern"),
        ("az://container/in/", {"account": "my lake"}, "should match pattern"),
    ],
)
def test_what_does_not_fit_is_said_with_its_cure(path, storage, said):
    with pytest.raises(ValidationError) as caught:
        source(path, **storage)
    assert said in str(caught.value)
