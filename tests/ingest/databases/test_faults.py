"""What is wrong at the source is told: by a code, with a cure, without the password."""

import pytest
from tests.ingest.databases.conftest import read, sql_source
from tests.ingest.databases.test_reader import WORDS, inserted

from drivetrain.core.errors import DrivetrainError, Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.ingest.reading import open_reader

PASSWORD = {"env": "PASSWORD"}


def failing(reader, family, code):
    with pytest.raises(family) as caught:
        read(reader)
    assert caught.value.code == code
    assert caught.value.where
    assert caught.value.hint
    return caught.value


@pytest.fixture
def keeper(pg):
    """A role of PostgreSQL with the password `open sesame`, and a URL of it."""
    pg.run("DROP ROLE IF EXISTS keeper", "CREATE ROLE keeper LOGIN PASSWORD 'open sesame'")
    pg.run(WORDS, inserted([(1, "one")]), "GRANT SELECT ON words TO keeper", "GRANT USAGE ON SCHEMA public TO keeper")
    yield pg.url.replace("postgres@", "keeper@")
    pg.run("DROP OWNED BY keeper", "DROP ROLE keeper")


@pytest.fixture
def reader_url(maria):
    maria.run(WORDS, inserted([(1, "one")]))
    return maria.url.replace("open@", "reader@")


@pytest.mark.parametrize("server", ["keeper", "reader_url"])
def test_a_wrong_password_is_refused_and_stays_secret(server, request, open_sql, environment):
    url = request.getfixturevalue(server)
    reader = open_sql(url, table="words", cursor="id", password=PASSWORD)
    assert read(reader).rows == [(1, "one")]
    environment["PASSWORD"] = "hunter2 & co"
    error = failing(reader, Forbidden, "sql_login_refused")
    assert "hunter2" not in f"{error!r} {error}"
    error = failing(open_sql(url, table="words", cursor="id"), Forbidden, "sql_login_refused")
    assert "password" in error.hint


def test_a_password_that_changes_is_looked_up_again(keeper, pg, place):
    """It expires between two connections of one load; what is refused is looked up once more."""
    answers = iter(["open sesame", "open sesame", "open sesame", "new", "new"])

    class Rotating:
        def get(self, ref):
            return next(answers)

    source = sql_source(keeper, table="words", cursor="id", password=PASSWORD)
    reader = open_reader(source, type(place)(place.home, place.cache, Rotating()))
    reader.discover()
    pg.run("ALTER ROLE keeper PASSWORD 'new'")
    next(answers)
    assert read(reader).rows == [(1, "one")]


def test_a_credential_that_is_not_there_is_named(keeper, open_sql):
    reader = open_sql(keeper, table="words", cursor="id", password={"env": "NOT_SET"})
    with pytest.raises(NotFound, match="NOT_SET"):
        read(reader)


def test_an_unknown_database(base, open_sql):
    url = base.url.rpartition("/")[0] + "/nowhere"
    failing(open_sql(url, table="words", cursor="id"), NotFound, "sql_database_unknown")


def test_an_unknown_table_with_a_near_match(base, open_sql):
    base.run(WORDS)
    error = failing(open_sql(base.url, table="wrods", cursor="id"), NotFound, "sql_table_unknown")
    assert "'words'" in error.hint


def test_an_unknown_schema(pg, open_sql):
    pg.run(WORDS)
    error = failing(open_sql(pg.url, table="nowhere.words", cursor="id"), NotFound, "sql_table_unknown")
    assert "'public.words'" in error.hint


def test_a_table_of_another_schema_is_named_with_it(pg, open_sql):
    pg.run("CREATE SCHEMA IF NOT EXISTS shop", "CREATE TABLE shop.parcels (id integer)")
    error = failing(open_sql(pg.url, table="parcels", cursor="id"), NotFound, "sql_table_unknown")
    pg.run("DROP SCHEMA shop CASCADE")
    assert error.hint == "did you mean 'shop.parcels'?"


@pytest.mark.parametrize("kind", ["pg", "lite"])
def test_a_database_without_tables_is_said_to_be_so(kind, request, open_sql):
    base = request.getfixturevalue(kind)
    error = failing(open_sql(base.url, table="words", cursor="id"), NotFound, "sql_table_unknown")
    assert "there is none that this user may see" in error.hint


@pytest.mark.parametrize("option", [{"cursor": "idd"}, {"cursor": "id", "columns": ["id", "wrod"]}, {"key": ("ids",)}])
def test_an_unknown_column_with_a_near_match(base, open_sql, option):
    base.run(WORDS)
    error = failing(open_sql(base.url, table="words", **option), NotFound, "sql_column_unknown")
    assert "did you mean" in error.hint


def test_a_query_that_the_database_does_not_understand(base, open_sql):
    base.run(WORDS)
    failing(open_sql(base.url, query="SELECT id FROM words WHERE", cursor="id"), InvalidInput, "sql_invalid")
    failing(open_sql(base.url, query="DELETE FROM words", cursor="id"), InvalidInput, "sql_invalid")


def test_a_row_that_cannot_be_computed(pg, open_sql):
    """In the middle of the rows, after some were read: it is no broken connection."""
    query = "SELECT id, 1 / (id - 60000) AS x, repeat('x', 400) AS word FROM generate_series(1, 70000) AS id"
    error = failing(open_sql(pg.url, query=query, cursor="id"), InvalidInput, "sql_invalid")
    assert "division by zero" in error.message


def test_a_table_that_may_not_be_read(keeper, pg, maria, reader_url, open_sql):
    pg.run("REVOKE ALL ON words FROM keeper")
    reader = open_sql(keeper, table="words", cursor="id", password=PASSWORD)
    error = failing(reader, Forbidden, "sql_permission_denied")
    assert "GRANT" in error.hint


@pytest.mark.parametrize("kind", ["pg", "maria"])
def test_a_server_that_is_not_there_is_waited_for_as_long_as_is_said(kind, request, open_sql):
    url = request.getfixturevalue(kind).url
    gone = ":1/".join([url.rpartition(":")[0], url.rpartition("/")[2]])
    failing(open_sql(gone, table="words", cursor="id", retry_seconds=0.3), Transient, "sql_unavailable")


def test_a_statement_that_takes_too_long(base, open_sql):
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) SELECT"
    query = f"{numbers} count(*) AS id FROM n a, n b"
    if base.url.startswith("mysql"):
        query = f"{numbers} count(*) AS id FROM n a JOIN n b JOIN n c"
    reader = open_sql(base.url, query=query, cursor="id", timeout_seconds=0.2)
    assert "timeout_seconds" in failing(reader, Refused, "sql_timeout").hint


def test_a_locked_sqlite_file_may_pass(lite, open_sql, tmp_path):
    (tmp_path / "some.db").write_bytes(b"no database at all" * 100)
    failing(open_sql(lite.url, table="words", cursor="id"), InvalidInput, "sql_invalid")


@pytest.mark.parametrize(
    ("url", "code"), [("oracle://u@127.0.0.1/x", "sql_driver_missing"), ("nosuch://u@h/x", "sql_driver_missing")]
)
def test_a_dialect_that_is_not_installed(open_sql, url, code):
    failing(open_sql(url, table="words", cursor="id"), DrivetrainError, code)
