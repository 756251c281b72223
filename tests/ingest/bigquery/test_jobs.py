"""What can go wrong between us and BigQuery, and what is said of it."""

import json
from itertools import chain, repeat

import pytest
from tests.ingest.bigquery.conftest import Shop, take
from tests.servers.bigquery import refuses

from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.ingest.bigquery.jobs import parts_of
from drivetrain.ingest.reading import open_reader


@pytest.fixture
def shop(service):
    shop = Shop(service)
    shop.add("(1, 'one')", "(2, 'two')")
    return shop


@pytest.mark.slow
def test_what_passes_is_tried_again(shop, service, tmp_path):
    spec = shop.source(cursor="id", read_by="rest")
    take(tmp_path, spec)
    questions = len(service.asked)
    for fault in (refuses(503, "backendError"), refuses(403, "rateLimitExceeded"), refuses(500, "internalError")):
        service.faults.extend(chain.from_iterable((fault, None) for _ in range(questions)))
        assert take(tmp_path, spec)[0] == [1, 2]
        service.faults.clear()


def test_a_job_that_was_started_though_the_answer_was_lost_runs_once(shop, service, tmp_path):
    def lost(method, path):
        service.ask(method, path, service.asked[-1][2])
        return 503, {}

    spec = shop.source(cursor="id", read_by="rest")
    service.faults.extend([None, None, lost, refuses(409, "duplicate")])
    assert take(tmp_path, spec)[0] == [1, 2]
    started = [
        json.loads(body) for method, path, body, _ in service.asked if method == "POST" and b"jobReference" in body
    ]
    assert len({job["jobReference"]["jobId"] for job in started}) == 1


@pytest.mark.parametrize(
    ("fault", "family", "code"),
    [
        (refuses(403, "accessDenied"), Forbidden, "bigquery_forbidden"),
        (refuses(403, "quotaExceeded"), Refused, "bigquery_quota"),
        (refuses(403, "billingNotEnabled"), Forbidden, "bigquery_forbidden"),
        (refuses(404, "notFound"), NotFound, "bigquery_unknown"),
        (refuses(400, "bytesBilledLimitExceeded"), Refused, "bigquery_too_dear"),
        (refuses(401, "authError", "tok-123 is no good"), Forbidden, "credentials_refused"),
        (refuses(503, "backendError"), Transient, "web_unavailable"),
        (refuses(403, "rateLimitExceeded"), Transient, "bigquery_unavailable"),
        (lambda method, path: (200, {"status": 3}), InvalidInput, "bigquery_invalid"),
    ],
)  # fmt: skip
def test_what_does_not_pass_says_what_to_do(shop, service, tmp_path, fault, family, code):
    service.always = fault
    with pytest.raises(family) as caught:
        take(tmp_path, shop.source(cursor="id", retry_seconds=0.3))
    assert caught.value.code == code
    assert caught.value.hint
    assert "tok-123" not in str(caught.value)


def test_a_query_that_is_none(shop, service, tmp_path):
    for query in ("SELEC 1", f"SELECT nope FROM shop.{shop.name}", "SELECT 1 FROM shop.nowhere"):
        with pytest.raises((InvalidInput, NotFound)) as caught:
            take(tmp_path, shop.source(table=None, query=query, contract={"key": ["id"]}))
        assert caught.value.code in ("bigquery_invalid", "bigquery_unknown")
    with pytest.raises(NotFound, match="nowhere"):
        take(tmp_path, shop.source(table="shop.nowhere", cursor="id"))


def test_a_job_that_fails_while_it_runs(shop, service, tmp_path):
    ended = {"state": "DONE", "errorResult": {"reason": "resourcesExceeded", "message": "too much memory"}}
    running = {"jobReference": {"jobId": "x", "location": "EU"}, "status": {"state": "RUNNING"}}
    service.faults.extend([None, None, _says(running), _says({"jobComplete": False}), _says({"status": ended})])
    with pytest.raises(Refused, match="too much memory") as caught:
        take(tmp_path, shop.source(cursor="id", read_by="rest"))
    assert caught.value.code == "bigquery_quota"
    assert "location=EU" in service.asked[-1][1]


def test_a_query_that_takes_too_long(shop, service, tmp_path):
    running = {"status": {"state": "RUNNING"}, "jobComplete": False}
    service.faults.extend(chain([None, None], repeat(_says(running), 50)))
    with pytest.raises(Transient, match="too long"):
        take(tmp_path, shop.source(cursor="id", read_by="rest", timeout_seconds=0.05))


def test_credentials_that_end_in_the_middle_are_looked_up_again(shop, service, tmp_path):
    class Changing:
        tokens = iter(["old", "old", "old", "new"])
        now = ""

        def get(self, ref):
            self.now = next(self.tokens, "new")
            return self.now

    def ends(method, path):
        return None if service.asked[-1][3] == "Bearer new" else (401, {"error": {"message": "expired"}})

    service.faults.extend([None, None, ends])
    assert take(tmp_path, shop.source(cursor="id", read_by="rest"), secrets=Changing())[0] == [1, 2]
    assert {asked[3] for asked in service.asked} == {"Bearer old", "Bearer new"}


def test_what_is_billed_is_limited_at_bigquery_too(shop, service, tmp_path):
    take(tmp_path, shop.source(cursor="id", max_gb=0.5, location="US", read_by="rest"))
    jobs = [json.loads(body) for method, _, body, _ in service.asked if method == "POST"]
    assert {job["configuration"]["query"]["maximumBytesBilled"] for job in jobs} == {"500000000"}
    assert jobs[-1]["jobReference"]["location"] == "US"


def test_names_of_tables():
    assert parts_of("shop.words") == ("", "shop", "words")
    assert parts_of("my-project.shop.words") == ("my-project", "shop", "words")
    assert parts_of("example.com:my-project.shop.words") == ("example.com:my-project", "shop", "words")


def test_a_token_is_in_no_error_and_no_repr(shop, service, tmp_path):
    reader = open_reader(shop.source(cursor="id"), Place(tmp_path, tmp_path))
    assert "tok" not in repr(reader)
    with pytest.raises(NotFound) as caught:
        reader.discover()
    assert caught.value.code == "secret_missing"


def _says(answer):
    return lambda method, path: (200, answer)
