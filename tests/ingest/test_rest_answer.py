"""What an answer may be written in, and what is no data."""

import gzip
import json

import pytest
from tests.servers.rest import says
from tests.servers.rest_sources import read, read_batches, rest_source, some_rows

from drivetrain.core.errors import InvalidInput, Transient

LOGIN = b"<!DOCTYPE html><html><head><title>Sign\n in</title></head><body><form/></body></html>"


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("text/csv; charset=utf-8", b'\xef\xbb\xbfid,word\r\n1,"a, b"\r\n2,\r\n'),
        ("application/x-ndjson", b'{"id": 1, "word": "a, b"}\n\n{"id": 2, "word": null}\n'),
        ("application/json", b'\xef\xbb\xbf [{"id": 1, "word": "a, b"}, {"id": 2, "word": null}]'),
    ],
)
def test_rows_by_the_content_type(service, tmp_path, media, body):
    service.faults.append(says(body, media))
    assert read(rest_source(service, "all"), tmp_path)[0] == [{"id": "1", "word": "a, b"}, {"id": "2", "word": None}]


def test_the_format_may_be_told(service, tmp_path):
    service.faults.append(says(b"id;word\n1;a\n".replace(b";", b","), "application/octet-stream"))
    assert read(rest_source(service, "all", format="csv"), tmp_path)[0] == [{"id": "1", "word": "a"}]


def test_values_of_csv_have_no_types_of_their_own(service, tmp_path):
    service.faults.append(says(b"id\n1\n", "text/csv"))
    (batch,), _ = read_batches(rest_source(service, "all"), tmp_path)
    assert batch.declared is None


def test_a_compressed_answer(service, tmp_path):
    body = gzip.compress(json.dumps(some_rows(3000)).encode())
    service.faults.append(says(body, headers={"Content-Encoding": "gzip"}))
    assert len(read(rest_source(service, "all"), tmp_path)[0]) == 3000


def test_an_answer_of_a_size_beyond_the_limit_is_refused_also_when_it_is_compressed(service, tmp_path):
    body = gzip.compress(b"[" + b" " * 5_000_000 + b"]")
    service.faults.append(says(body, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(InvalidInput, match="larger than 1 MB"):
        read(rest_source(service, "all", max_answer_mb=1), tmp_path)


@pytest.mark.parametrize("media", ["text/html", "application/json", "text/csv"])
def test_a_login_page_is_not_data(service, tmp_path, media):
    service.faults.append(says(LOGIN, media))
    with pytest.raises(InvalidInput, match="'Sign in'") as caught:
        read(rest_source(service, "all"), tmp_path)
    assert caught.value.code == "answer_not_data"
    assert "credentials" in caught.value.hint


@pytest.mark.parametrize(
    ("body", "media", "words"),
    [
        (b'[{"id": NaN}]', "application/json", "not JSON"),
        (b'[{"id": 1}] more', "application/json", "not JSON"),
        (b'[{"id": "\xff"}]', "application/json", "not JSON"),
        (b"[" * 100_000, "application/json", "not JSON"),
        (b"id,word\n1,2,3\n", "text/csv", "3 values for 2 columns"),
        (b"id\n\xff\n", "text/csv", "not csv"),
        (b"[1, 2]", "application/json", "holds int values"),
        (b'{"error": "no rights", "code": 7}', "application/json", "error, code"),
        (b"null", "application/json", "no list"),
    ],
)
def test_what_cannot_be_read_is_a_clear_error(service, tmp_path, body, media, words):
    service.faults.append(says(body, media))
    with pytest.raises(InvalidInput, match=words) as caught:
        read(rest_source(service, "all"), tmp_path)
    assert caught.value.hint
    assert caught.value.where.startswith("http://127.0.0.1")


def test_json_that_ends_too_early_is_tried_again(service, tmp_path):
    service.rows = some_rows(2)
    service.faults.append(says(b'[{"id": 1}, {"i'))
    assert len(read(rest_source(service, "all", deadline_seconds=5), tmp_path)[0]) == 2
    service.faults.append(says(b'[{"id": 1}, {"i'))
    with pytest.raises(Transient, match="ends too early"):
        read(rest_source(service, "all"), tmp_path)


def test_rows_lie_at_a_path(service, tmp_path):
    service.rows = some_rows(2)
    assert len(read(rest_source(service, "nested"), tmp_path)[0]) == 2
    with pytest.raises(InvalidInput, match="there is items") as caught:
        read(rest_source(service, "nested", records="data.rows"), tmp_path)
    assert caught.value.code == "records_missing"
    service.faults.append(says({"data": {"items": None}}))
    assert read(rest_source(service, "nested"), tmp_path) == ([], "")
