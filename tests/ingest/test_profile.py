"""What a loaded dataset holds, held against plain Python over the same rows."""

import random
import statistics

import pytest

from drivetrain.core.errors import NotFound
from drivetrain.core.schema import ColumnType
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.profile import QUANTILES, newest_value, profile
from drivetrain.ingest.profile_page import profile_page

SPEC = FilesSource(kind="files", path="data/*.csv")
HEADER = "id,income,home,vip,day,empty\n"


def people(ids, shift=0):
    for number in ids:
        chance = random.Random(number)
        income = "" if number % 10 == 0 else round(chance.gauss(3000 + shift, 500), 2)
        home = chance.choice(["rent", "own", "own"]) if not shift else "family"
        yield f"{number},{income},{home},{'true' if number % 4 == 0 else 'false'},2026-01-{number % 28 + 1:02},\n"


@pytest.fixture
def loaded(project):
    project.write("data/a.csv", HEADER + "".join(people(range(2000))))
    project.ingest(SPEC)
    return project


def columns_of(project):
    found = profile("people", project.catalog)
    return found, {column.name: column for column in found.columns}


def test_nothing_loaded_says_what_to_do(project):
    with pytest.raises(NotFound, match="nothing was loaded"):
        profile("people", project.catalog)


def test_rows_missing_distinct_and_keys(loaded):
    found, columns = columns_of(loaded)
    assert (found.dataset, found.before, found.rows, found.keys) == ("dataset/people@0", None, 2000, ("id",))
    assert {name: column.missing for name, column in columns.items()} == {
        "id": 0, "income": 200, "home": 0, "vip": 0, "day": 0, "empty": 2000,
    }  # fmt: skip
    assert (columns["id"].distinct, columns["home"].distinct, columns["vip"].distinct) == (2000, 2, 2)
    assert columns["empty"].distinct == 0
    assert (columns["day"].type, columns["day"].low, columns["day"].high) == (
        ColumnType.DATE, "2026-01-01", "2026-01-28",
    )  # fmt: skip


def test_quantiles_are_near_the_true_ones(loaded):
    _, columns = columns_of(loaded)
    incomes = [row["income"] for row in loaded.rows() if row["income"] is not None]
    true = statistics.quantiles(incomes, n=100)
    for share, shown in zip(QUANTILES, columns["income"].quantiles, strict=True):
        assert float(shown.replace(",", "")) == pytest.approx(true[round(share * 100) - 1], rel=0.03)


def test_every_row_stands_in_one_bin(loaded):
    _, columns = columns_of(loaded)
    for column in columns.values():
        assert sum(one.rows for one in column.bins) + column.missing == 2000, column.name
        assert all(one.before is None for one in column.bins)
    assert {one.label: one.rows for one in columns["vip"].bins} == {"false": 1500, "true": 500}
    assert len(columns["income"].bins) == 22


def test_drift_against_the_version_before(loaded):
    loaded.append("data/a.csv", "".join(people(range(2000, 6000), shift=2000)))
    loaded.ingest(SPEC)
    found, columns = columns_of(loaded)
    assert (found.dataset, found.before, found.rows) == ("dataset/people@1", "dataset/people@0", 6000)
    assert {name for name, column in columns.items() if column.moved} == {"income", "home"}
    assert columns["id"].psi is None, "a key holds other values each time"
    assert columns["vip"].psi == pytest.approx(0, abs=0.01)
    assert sum(one.before for one in columns["home"].bins) == 2000


def test_a_column_that_is_new_has_nothing_to_be_held_against(loaded):
    loaded.write("data/b.csv", HEADER.replace("empty", "empty,tall") + "9999,1,own,true,2026-01-01,,180\n")
    loaded.ingest(SPEC, accept_schema=True)
    _, columns = columns_of(loaded)
    assert columns["tall"].psi is None
    assert columns["income"].psi is not None


def test_whole_numbers_are_parted_into_whole_numbers(project):
    rows = "".join(f"{n},{n % 40},{n % 3}\n" for n in range(4000))
    project.write("data/a.csv", f"id,age,late\n{rows}")
    project.ingest(SPEC)
    _, columns = columns_of(project)
    assert [(one.label, one.rows) for one in columns["age"].bins][:3] == [
        ("0 to 1", 200),
        ("2 to 3", 200),
        ("4 to 5", 200),
    ]
    assert [(one.label, one.rows) for one in columns["late"].bins] == [
        ("0", 1334), ("1", 1333), ("2", 1333),
    ]  # fmt: skip


def test_one_value_alone_and_a_quote_in_a_text(project):
    project.write("data/a.csv", "id,same,said\n1,5,it's\n2,5,it's\n")
    project.ingest(SPEC)
    _, columns = columns_of(project)
    assert [(one.label, one.rows) for one in columns["same"].bins] == [("5", 2)]
    assert [(one.label, one.rows) for one in columns["said"].bins] == [("it's", 2)]


def test_the_newest_value(loaded):
    dataset = loaded.ingest(SPEC)
    assert newest_value(dataset, "day", loaded.catalog).date().isoformat() == "2026-01-28"
    assert newest_value(dataset, "nothing", loaded.catalog) is None


def test_the_page_shows_every_column_and_asks_nobody_else(loaded):
    loaded.append("data/a.csv", "".join(people(range(2000, 6000), shift=2000)))
    loaded.ingest(SPEC)
    page = profile_page(profile("people", loaded.catalog)).decode()
    for name in HEADER.strip().split(","):
        assert f"<h3>{name}</h3>" in page or name == "empty"
    assert "held against dataset/people@0" in page
    assert "drifted" in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
