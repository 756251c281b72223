"""The kind ``bigquery``, against the emulator: tables and queries, by Arrow and as JSON."""

from datetime import UTC, date, datetime

import pytest
from tests.ingest.bigquery.conftest import SECRETS, Shop, take

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.sources.warehouses import BigQuerySource
from drivetrain.ingest.reading import open_reader
from drivetrain.ingest.sampling import ask
from drivetrain.store.catalog import Catalog
from drivetrain.testing.readers import ReaderContract

KEYED = {"key": ["id"]}
ROWS = ("(1, 'one')", "(2, 'two')")
WHOLE = {"contract": KEYED}


class Contract(ReaderContract):
    secrets = SECRETS
    read_by = "arrow"

    @pytest.fixture(autouse=True)
    def _served(self, service):
        self.service = service

    def make(self, home, rows):
        self.shop = Shop(self.service)
        return self.add(home, rows)

    def add(self, home, rows):
        self.shop.add(*(f"({number}, '{word}')" for number, word in rows))
        return self.shop.source(cursor="id", read_by=self.read_by)

    def remove(self, home):
        self.service.run(f"DROP TABLE shop.{self.shop.name}")


class TestArrow(Contract):
    pass


@pytest.mark.slow
class TestJson(Contract):
    read_by = "rest"


@pytest.mark.parametrize("read_by", ["arrow", "rest"])
def test_types_keep_their_values(service, project, read_by):
    shop = Shop(
        service,
        "id INT64, big NUMERIC, x FLOAT64, day DATE, made TIMESTAMP, local DATETIME, hour TIME, raw BYTES, fine BOOL, "
        "who STRUCT<name STRING, home STRUCT<city STRING, zip STRING>>, tags ARRAY<STRING>, none STRING",
    )
    shop.add(
        "(1, NUMERIC '12.34', 0.1, DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.000006 UTC', "
        "DATETIME '2026-01-02 03:04:05', TIME '03:04:05', b'ab', TRUE, "
        "STRUCT('me' AS name, STRUCT('here' AS city, '007' AS zip) AS home), ['a', 'b'], NULL)"
    )
    project_of(project, shop.source(read_by=read_by, cursor="id", contract=KEYED))
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert project.rows("words") == [
        {
            "id": 1, "big": 12.34, "x": 0.1, "day": date(2026, 1, 2), "made": at.replace(microsecond=6), "local": at,
            "hour": "03:04:05.000000", "raw": '"YWI="', "fine": True, "who.name": "me", "who.home.city": "here",
            "who.home.zip": "007", "tags": '["a","b"]', "none": None,
        }
    ]  # fmt: skip


def project_of(project, spec):
    from drivetrain.ingest.ingest import ingest

    dataset = ingest(spec, "words", project.catalog, secrets=SECRETS)
    project.catalog.put(dataset)
    return dataset


def test_many_pages(service, tmp_path):
    shop = Shop(service)
    service.run(f"INSERT INTO shop.{shop.name} SELECT id, 'w' FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS id")
    for read_by in ("arrow", "rest"):
        ids = take(tmp_path, shop.source(cursor="id", read_by=read_by))[0]
        assert ids == list(range(1, 25_001))
    pages = [asked for asked in service.asked if "pageToken" in asked[1]]
    assert len(pages) == 2


def test_without_leave_for_arrow_the_rows_come_as_json(service, tmp_path):
    shop = Shop(service)
    shop.add(*ROWS)
    assert take(tmp_path, shop.source(cursor="id"))[0] == [1, 2]
    assert not [asked for asked in service.asked if "/queries/" in asked[1]], "by Arrow no page is asked for"
    service.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("drivetrain.ingest.bigquery.arrow.ArrowRows._session", _not_allowed)
        assert take(tmp_path, shop.source(cursor="id"))[0] == [1, 2]
        with pytest.raises(Refused, match="does not give") as caught:
            take(tmp_path, shop.source(cursor="id", read_by="arrow"))
    assert caught.value.code == "bigquery_unreadable"


def _not_allowed(rows, table):
    from drivetrain.ingest.bigquery.arrow import NotAllowed

    raise NotAllowed("permission bigquery.readsessions.create denied")


def test_a_query_and_columns_of_a_table(service, tmp_path):
    shop = Shop(service)
    shop.add(*ROWS)
    query = f"SELECT id, word FROM shop.{shop.name} WHERE id > 1; "
    assert take(tmp_path, shop.source(table=None, query=query, cursor="id"))[0] == [2]
    spec = shop.source(columns=["id"], cursor="id")
    batch = next(open_reader(spec, Place(tmp_path, tmp_path, SECRETS)).read(""))
    assert batch.rows.column_names == ["id"]


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        ("INT64", "5", "6"),
        pytest.param("NUMERIC", "NUMERIC '5.5'", "NUMERIC '5.6'", marks=pytest.mark.slow),
        pytest.param("FLOAT64", "5.5", "5.75", marks=pytest.mark.slow),
        pytest.param("DATE", "DATE '2026-01-02'", "DATE '2026-01-03'", marks=pytest.mark.slow),
        pytest.param(
            "DATETIME", "DATETIME '2026-01-02 03:04:05.5'", "DATETIME '2026-01-02 03:04:05.6'", marks=pytest.mark.slow
        ),
        ("TIMESTAMP", "TIMESTAMP '2026-01-02 03:04:05.5 UTC'", "TIMESTAMP '2026-01-02 03:04:05.6 UTC'"),
    ],
)
def test_cursors_of_all_kinds(service, tmp_path, kind, first, second):
    shop = Shop(service, f"id INT64, made {kind}")
    shop.add(f"(1, {first})")
    spec = shop.source(cursor="made")
    cursor = take(tmp_path, spec)[2]
    shop.add(f"(2, {first})")
    ids, _, cursor = take(tmp_path, spec, cursor)
    assert ids == [2], "a row with the last value that comes late is read once"
    shop.add(f"(3, {second})")
    ids, _, cursor = take(tmp_path, spec, cursor)
    assert ids == [3]
    assert take(tmp_path, spec, cursor)[0] == []
    asked = [body for _, _, body, _ in service.asked if b"WHERE" in body]
    assert asked, "older rows are not read again"


def test_look_back_finds_late_rows_and_only_them(service, tmp_path):
    shop = Shop(service, "id INT64, made TIMESTAMP")
    at = "TIMESTAMP '2026-01-02 03:{}:00 UTC'"
    shop.add(f"(1, {at.format('10')})", f"(2, {at.format('20')})")
    spec = shop.source(cursor="made", look_back=900)
    cursor = take(tmp_path, spec)[2]
    shop.add(f"(3, {at.format('09')})", f"(4, {at.format('01')})", f"(5, {at.format('06')})")
    assert take(tmp_path, spec, cursor)[0] == [3, 5]


def test_an_incremental_load_puts_rows_and_drops_those_that_are_marked(service, project):
    shop = Shop(service, "id INT64, word STRING, changed INT64, gone BOOL")
    shop.add("(1, 'one', 1, NULL)", "(2, 'two', 2, FALSE)", "(3, 'three', 3, NULL)")
    spec = shop.source(cursor="changed", mode="incremental", deleted="gone", contract=KEYED)
    project_of(project, spec)
    service.run(f"UPDATE shop.{shop.name} SET word = 'ONE', changed = 5 WHERE id = 1")
    service.run(f"UPDATE shop.{shop.name} SET gone = TRUE, changed = 4 WHERE id = 2")
    shop.add("(4, 'four', 6, NULL)")
    project_of(project, spec)
    assert sorted((row["id"], row["word"]) for row in project.rows("words")) == [(1, "ONE"), (3, "three"), (4, "four")]


def test_the_whole_table_is_compared(service, project):
    shop = Shop(service)
    shop.add(*ROWS)
    first = project_of(project, shop.source(contract=KEYED))
    assert project_of(project, shop.source(contract=KEYED)) == first
    service.run(f"DELETE FROM shop.{shop.name} WHERE id = 1")
    project_of(project, shop.source(contract=KEYED))
    assert project.column("id", "words") == [2]


def test_a_row_without_a_value_of_the_cursor_is_told(service, tmp_path):
    shop = Shop(service)
    shop.add(*ROWS)
    cursor = take(tmp_path, shop.source(cursor="id"))[2]
    shop.add("(NULL, 'lost')")
    with pytest.raises(InvalidInput, match="None") as caught:
        take(tmp_path, shop.source(cursor="id"), cursor)
    assert caught.value.code == "incremental_invalid"


def test_a_moment_of_the_past(service, tmp_path):
    shop = Shop(service)
    spec = shop.source(as_of="2026-01-02T04:04:05+01:00", contract=KEYED)
    with pytest.raises(InvalidInput):
        take(tmp_path, spec)  # the emulator keeps no such past
    sql = next(body for _, _, body, _ in service.asked if b"SYSTEM_TIME" in body)
    assert b"FOR SYSTEM_TIME AS OF TIMESTAMP '2026-01-02 03:04:05+00:00'" in sql


def test_columns_that_cannot_be_a_cursor(service, tmp_path):
    shop = Shop(service)
    shop.add(*ROWS)
    with pytest.raises(InvalidInput, match="STRING cannot be a cursor"):
        take(tmp_path, shop.source(cursor="word"))
    with pytest.raises(InvalidInput, match="with a `look_back`"):
        take(tmp_path, shop.source(cursor="id", look_back=10))
    with pytest.raises(NotFound, match="no column 'iddd'"):
        take(tmp_path, shop.source(cursor="iddd"))


def test_what_it_costs_is_told_before_it_runs(service, tmp_path):
    shop = Shop(service)
    shop.add(*ROWS)
    service.always = _large
    spec = shop.source(cursor="id", max_gb=2000)
    with Catalog(tmp_path) as catalog:
        (portion,) = ask(spec, "words", catalog, SECRETS).first
    assert portion.note == "reads 2,500.000 GB, about $14.21 on demand"
    with pytest.raises(Refused, match=r"2,500.000 GB.*at most 2000 GB.*nothing was run") as caught:
        take(tmp_path, spec)
    assert caught.value.code == "bigquery_too_dear"
    assert all(b'"dryRun":true' in body for method, _, body, _ in service.asked if method == "POST")


def _large(method, path):
    fields = [{"name": "id", "type": "INTEGER"}, {"name": "word", "type": "STRING"}]
    told = {"query": {"totalBytesProcessed": "2500000000000", "schema": {"fields": fields}}}
    return (200, {"status": {"state": "DONE"}, "statistics": told}) if method == "POST" else None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "`table` or `query`"),
        ({"table": "a.b", "query": "SELECT 1"}, "`table` or `query`"),
        ({"table": "words"}, "pattern"),
        ({"table": "a.b"}, "needs `key`"),
        ({"table": "a.b", "mode": "append"}, "needs a `cursor`"),
        ({"table": "a.b", "cursor": "c`; DROP"}, "pattern"),
        ({"table": "a.b", "look_back": 5, **WHOLE}, "`look_back` needs"),
        ({"table": "a.b", "deleted": "d", **WHOLE}, "`deleted` needs"),
        ({"query": "SELECT 1", "as_of": "2026-01-01T00:00:00Z", **WHOLE}, "FOR SYSTEM_TIME"),
        ({"table": "a.b", "endpoint": "http://x", **WHOLE}, "allow_http"),
        ({"table": "a.b", "token": {"env": "T"}, "service_account": {"env": "K"}, **WHOLE}, "one of them"),
        ({"table": "a.b", "cursor": "c", "columns": ["d"]}, "`columns` leaves the `cursor`"),
    ],
)
def test_options_that_do_not_fit(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        BigQuerySource.model_validate({"kind": "bigquery", "project": "p", **options})


def test_the_result_of_a_query_comes_by_arrow(service, tmp_path):
    """The emulator hides the tables of results from its Storage interface, so it is given one that it shows."""
    shop = Shop(service)
    service.run(f"CREATE TABLE shop.{shop.name}_result AS SELECT 7 AS id, 'seven' AS word")

    def told(method, path):
        if method != "POST" or not path.endswith("/jobs"):
            return None
        if b'"dryRun":true' in service.asked[-1][2]:
            return None
        table = {"projectId": "tests", "datasetId": "shop", "tableId": f"{shop.name}_result"}
        return 200, {"status": {"state": "DONE"}, "configuration": {"query": {"destinationTable": table}}}

    service.always = told
    spec = shop.source(cursor="id", mode="incremental", contract=KEYED, read_by="arrow")
    assert take(tmp_path, spec)[:2] == ([7], ["put"])
