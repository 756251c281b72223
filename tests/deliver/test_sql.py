"""The contract of an Outlet, kept by tables of PostgreSQL, MariaDB and SQLite; what each mode does with rows."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from tests.servers.mariadb import mariadb
from tests.servers.postgres import postgres
from tests.servers.relay import relay

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound
from drivetrain.core.outlets.databases import SqlOutlet
from drivetrain.deliver.outlet import Parcel, open_outlet
from drivetrain.deliver.sql_table import SqlTable
from drivetrain.testing.outlets import COLUMNS, OutletContract, parcel

TABLE = "CREATE TABLE decisions (id varchar(32) PRIMARY KEY, word varchar(28) NOT NULL, score double precision)"
WRONG = "not-the-password"


@pytest.fixture(scope="module")
def postgres_server():
    with postgres() as server:
        with server.connect() as connection:
            connection.execute("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'open sesame'")
        yield server


@pytest.fixture(scope="module")
def mariadb_server():
    with mariadb() as server:
        yield server


def outlet(url, **options):
    password = {} if url.startswith("sqlite") else {"password": {"env": "PASSWORD"}}
    return SqlOutlet.model_validate(
        {"kind": "sql", "url": url, "table": "decisions", "key": ("id",), "columns": COLUMNS, **password, **options}
    )


class TestSqlite(OutletContract):
    refused_word = "much-too-long-for-this-table-x"
    secrets = KnownSecrets({"PASSWORD": "open sesame", "WRONG": WRONG}, None)

    def make(self, home):
        self.run(home, TABLE.replace("varchar(28) NOT NULL", "text CHECK (length(word) < 30)"))
        return outlet("sqlite:///some.db")

    def received(self, home):
        return self.run(home, "SELECT id, word FROM decisions")

    def run(self, home, statement):
        with closing(sqlite3.connect(home / "some.db")) as connection, connection:
            return connection.execute(statement).fetchall()

    @contextmanager
    def down(self, home):
        with closing(sqlite3.connect(home / "some.db")) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield


class TestPostgres(OutletContract):
    refused_word = TestSqlite.refused_word
    secrets = TestSqlite.secrets

    @pytest.fixture(autouse=True)
    def _server(self, postgres_server):
        self.server, self.database = postgres_server, postgres_server.database()
        with relay(postgres_server.port) as self.wire:
            yield

    @property
    def url(self):
        return self.server.url(self.database, "keeper").replace(str(self.server.port), str(self.wire.port))

    def make(self, home):
        self.run(TABLE)
        return outlet(self.url)

    def received(self, home):
        return self.run("SELECT id, word FROM decisions")

    def run(self, statement):
        with closing(self.server.connect(self.database)) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def wrong_login(self, home):
        return outlet(self.url, password={"env": "WRONG"}), WRONG

    @contextmanager
    def down(self, home):
        self.wire.broken, (self.wire.times, self.wire.after) = 0, (1000, 0)
        yield
        self.wire.times = 0


@pytest.mark.slow
class TestMariadb(TestPostgres):
    @pytest.fixture(autouse=True)
    def _server(self, mariadb_server):
        self.server, self.database = mariadb_server, mariadb_server.database()
        with relay(mariadb_server.port) as self.wire:
            yield

    @property
    def url(self):
        return self.server.url(self.database).replace(str(self.server.port), str(self.wire.port))


@dataclass
class Base:
    """A new, empty database."""

    url: str
    run: Callable[[str], list[tuple[object, ...]]]
    place: Place

    def send(self, rows, **options):
        """One parcel of dicts through an outlet of its own; the reasons of what was refused."""
        table = pa.Table.from_pylist(rows)
        spec = outlet(self.url, **{"columns": dict.fromkeys(table.column_names, "1"), **options})
        with closing(open_outlet(spec, self.place)) as opened:
            receipts = opened.send(Parcel(table, tuple(str(number) for number in range(len(rows)))))
        return [receipt.said for receipt in receipts if not receipt.taken]


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def base(request, tmp_path):
    place = Place(tmp_path, tmp_path / "cache", TestSqlite.secrets)
    if request.param == "sqlite":
        return Base("sqlite:///some.db", partial(TestSqlite().run, tmp_path), place)
    kind = {"postgres": TestPostgres, "mariadb": TestMariadb}[request.param]()
    kind.server = request.getfixturevalue(f"{request.param}_server")
    kind.database = kind.server.database()
    return Base(kind.server.url(kind.database), kind.run, place)


def test_it_makes_the_table_in_the_types_of_the_rows(base):
    moment = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
    row = {
        "id": "k1", "n": 2**60, "x": 0.1, "yes": True, "day": date(2026, 3, 4), "at": moment,
        "exact": Decimal("12.34"), "nested": {"age": 41}, "none": None,
    }  # fmt: skip
    assert base.send([row], create=True) == []
    assert base.send([row | {"id": "k2", "n": None, "at": None}], create=True) == []
    ((id_, n, x, yes, day, at, exact, nested, none),) = base.run("SELECT * FROM decisions WHERE id = 'k1'")
    assert (id_, n, x, bool(yes), str(day), float(exact), nested, none) == (
        "k1", 2**60, 0.1, True, "2026-03-04", 12.34, '{"age":41}', None,
    )  # fmt: skip
    assert str(at).removesuffix("+00:00") == "2026-03-04 05:06:07.000089"


def test_values_go_into_columns_of_other_types(base):
    columns = "id char(9) PRIMARY KEY, yes varchar(9), flag integer, at varchar(40), day varchar(40)"
    base.run(f"CREATE TABLE decisions ({columns})")
    row = {"id": "k1", "yes": True, "flag": True, "at": datetime(2026, 3, 4, tzinfo=UTC), "day": date(2026, 3, 4)}
    assert base.send([row]) == []
    assert base.send([row]) == [], "a CHAR with blanks at its end is the same key"
    assert base.run("SELECT yes, flag, at, day FROM decisions") == [
        ("true", 1, "2026-03-04 00:00:00+00:00", "2026-03-04")
    ]


def test_the_newest_row_of_each_key(base):
    columns = "customer bigint, area varchar(9), risk integer, note varchar(9), UNIQUE (customer, area)"
    base.run(f"CREATE TABLE decisions ({columns})")
    base.run("INSERT INTO decisions VALUES (1, 'a', 10, 'kept')")
    rows = [{"customer": number, "area": "a", "risk": risk} for number, risk in [(1, 20), (2, 30), (2, 40), (1, 50)]]
    assert base.send(rows, key=("customer", "area"), mode="upsert") == []
    assert base.run("SELECT * FROM decisions ORDER BY customer") == [(1, "a", 50, "kept"), (2, "a", 40, None)]
    assert base.send(rows[:1], key=("customer", "area"), mode="insert") == []
    assert base.run("SELECT risk FROM decisions ORDER BY customer") == [(50,), (40,)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("id varchar(9) PRIMARY KEY", "no column word"),
        ("id varchar(9) PRIMARY KEY, word varchar(9), more integer NOT NULL", "column more must have a value"),
        ("id varchar(9), word varchar(9)", "nothing keeps (id) unique"),
        ("id varchar(9), word varchar(9), UNIQUE (id, word)", "nothing keeps (id) unique"),
    ],
)
def test_a_table_that_could_take_no_row_or_take_one_twice_is_said_to_be_so(base, table, said):
    base.run(f"CREATE TABLE decisions ({table})")
    with pytest.raises(InvalidInput, match="outlet_table_unfit") as caught:
        base.send([{"id": "k1", "word": "one"}])
    assert said in caught.value.message
    assert caught.value.hint
    assert base.run("SELECT count(*) FROM decisions") == [(0,)]


def test_what_has_a_default_need_not_be_named(base):
    columns = "id varchar(9) PRIMARY KEY, word varchar(9), state varchar(9) DEFAULT 'new' NOT NULL"
    base.run(f"CREATE TABLE decisions ({columns})")
    assert base.send([{"id": "k1", "word": "one"}]) == []
    assert base.run("SELECT state FROM decisions") == [("new",)]


def test_a_table_that_is_not_there_says_how_it_could_be(base):
    base.run("CREATE TABLE other (id integer)")
    with pytest.raises(NotFound, match="sql_table_unknown") as caught:
        base.send([{"id": "k1"}])
    assert "create: true" in caught.value.hint


def test_a_row_that_somebody_else_wrote_meanwhile_is_taken(base, monkeypatch):
    """Whoever sent it first has the unique key; the second look finds it."""
    base.run(TABLE)
    there, looks = SqlTable._there, []

    def late(self, table, rows):
        found = there(self, table, rows)
        if not looks:
            looks.append(base.run("INSERT INTO decisions VALUES ('k2', 'theirs', 1)"))
        return found

    monkeypatch.setattr(SqlTable, "_there", late if not base.url.startswith("sqlite") else there)
    rows = [{"id": f"k{number}", "word": "ours", "score": 0.5} for number in range(4)]
    assert base.send(rows) == []
    assert len(base.run("SELECT id FROM decisions")) == 4


def test_who_may_not_write_is_told_so(postgres_server):
    base = TestPostgres()
    base.server, base.database = postgres_server, postgres_server.database()
    base.run(TABLE)
    base.run("DO $$ BEGIN CREATE ROLE looker LOGIN; EXCEPTION WHEN duplicate_object THEN END $$")
    base.run("GRANT SELECT ON decisions TO looker")
    spec = outlet(postgres_server.url(base.database, "looker"))
    with closing(open_outlet(spec, Place(Path(), Path(), TestSqlite.secrets))) as opened:
        assert "4 columns" not in opened.check()
        with pytest.raises(Forbidden, match="sql_permission_denied") as caught:
            opened.send(parcel([("k1", "one")]))
    assert "INSERT" in caught.value.hint
    base.run(f"ALTER DATABASE {base.database} SET default_transaction_read_only = on")
    with (
        closing(
            open_outlet(outlet(postgres_server.url(base.database)), Place(Path(), Path(), TestSqlite.secrets))
        ) as opened,
        pytest.raises(Forbidden, match="sql_read_only"),
    ):
        opened.send(parcel([("k1", "one")]))


def test_a_key_that_does_not_leave_is_a_mistake_in_the_project_file():
    with pytest.raises(ValueError, match="`key` names 'prediction_id'"):
        SqlOutlet(kind="sql", url="sqlite:///x.db", table="t", columns={"id": "prediction_id"})
    with pytest.raises(ValueError, match="a password does not belong into `url`"):
        SqlOutlet(kind="sql", url="postgresql://me:secret@host/x", table="t")
