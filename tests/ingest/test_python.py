"""The kind ``python``: the contract of a Reader, kept by code that gives rows in every form."""

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from drivetrain.connect.place import Place
from drivetrain.core.contract import Contract
from drivetrain.core.errors import InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.code import PythonSource
from drivetrain.ingest.reading import Batch, open_reader
from drivetrain.store.files.batches import Change
from drivetrain.testing.readers import ReaderContract

DICTS = """
import json
from pathlib import Path

def words():
    for line in (Path(__file__).parent / "words.jsonl").read_text().splitlines():
        yield json.loads(line)
"""
TABLES = """
import pyarrow as pa
from pathlib import Path
import json

def words():
    lines = (Path(__file__).parent / "words.jsonl").read_text().splitlines()
    return [pa.table({name: [value] for name, value in json.loads(line).items()}) for line in lines]
"""
SINCE = """
import json
from pathlib import Path

asked = []

def words(since=None):
    asked.append(since)
    rows = [json.loads(line) for line in (Path(__file__).parent / "words.jsonl").read_text().splitlines()]
    return [row for row in rows if since is None or row["id"] >= since]
"""


class InProject(ReaderContract):
    cursor = None

    def make(self, home, rows):
        (home / "words.py").write_text(self.code)
        (home / "words.jsonl").write_text("")
        return self.add(home, rows)

    def add(self, home, rows):
        with (home / "words.jsonl").open("a") as file:
            file.writelines(json.dumps({"id": number, "word": word}) + "\n" for number, word in rows)
        return PythonSource(kind="python", path="words.py:words", cursor=self.cursor)

    def remove(self, home):
        (home / "words.py").unlink()


class TestDicts(InProject):
    code = DICTS


class TestTables(InProject):
    code = TABLES


class TestSince(InProject):
    code = SINCE
    cursor = "id"


def source(home, code, *, key=(), **options):
    (home / "sources.py").write_text(code)
    contract = Contract(key=key, max_bad_share=1)
    return PythonSource(kind="python", path="sources.py:rows", contract=contract, **options)


def read(spec, home, cursor=""):
    """Batches, and the cursor at the end (empty: no position)."""
    batches, last = [], ""
    for item in open_reader(spec, Place(home, home / "cache")).read(cursor):
        if isinstance(item, Batch):
            batches.append(item)
        else:
            last = item.cursor
    return batches, last


def rows(batches):
    return [row for batch in batches for row in batch.rows.to_pylist()]


DLT = """
import dlt
@dlt.resource
def tickets():
    yield {"id": 1, "buyer": {"name": "x"}}
    yield [{"id": 2}, {"id": 3}]
source = dlt.source(lambda: tickets, name="shop")()
def made():
    return tickets
"""
GROWING = """
import datetime
NOW = {now}
asked = []
def rows(since=None):
    asked.append(since)
    yield from [row for row in NOW if since is None or row["at"] >= since]
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (3, 5),
        (0.25, 0.5),
        (date(2026, 1, 1), date(2026, 1, 2)),
        (datetime(2026, 1, 1, 10, 0, 0, 250, UTC), datetime(2026, 1, 1, 10, 0, 1, 0, UTC)),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:01Z"),
    ],
)
def test_since_takes_the_largest_value_in_its_own_type(tmp_path, first, second):
    now = [{"id": 1, "at": first}]
    spec = source(tmp_path, GROWING.format(now=now), cursor="at")
    batches, cursor = read(spec, tmp_path)
    assert len(rows(batches)) == 1
    now += [{"id": 2, "at": first}, {"id": 3, "at": second}]
    batches, after = read(source(tmp_path, GROWING.format(now=now), cursor="at"), tmp_path, cursor)
    assert [row["id"] for row in rows(batches)] == ["2", "3"], "rows at the same moment are told apart"
    asked = sys.modules["sources"].asked
    assert asked == [first]
    assert type(asked[0]) is type(first)
    assert read(spec, tmp_path, after) == ([], "")


def test_rows_at_or_before_the_largest_value_are_passed_over_without_since(tmp_path):
    code = "ROWS = [{{'id': n, 'v': 'x'}} for n in range({count})]\nrows = ROWS\n"
    _, cursor = read(source(tmp_path, code.format(count=3), cursor="id"), tmp_path)
    batches, _ = read(source(tmp_path, code.format(count=5), cursor="id"), tmp_path, cursor)
    assert [row["id"] for row in rows(batches)] == ["3", "4"]


def test_equal_rows_of_a_source_that_grows_are_all_rows(tmp_path):
    one = {"v": "a", "at": "2026-01-01T10:00:00Z"}
    _, cursor = read(source(tmp_path, GROWING.format(now=[one, one]), cursor="at"), tmp_path)
    batches, _ = read(source(tmp_path, GROWING.format(now=[one, one, one]), cursor="at"), tmp_path, cursor)
    assert rows(batches) == [one]


def test_with_a_key_changed_rows_are_put_and_marked_ones_go(tmp_path):
    now = [{"id": n, "at": n, "gone": None} for n in (1, 2, 3)]
    _, cursor = read(source(tmp_path, GROWING.format(now=now), key=["id"], cursor="at", deleted="gone"), tmp_path)
    now += [{"id": 1, "at": 4, "gone": True}, {"id": 2, "at": 5, "gone": False}, {"id": 9, "at": 6, "gone": True}]
    now += [{"id": 9, "at": 7, "gone": False}]
    spec = source(tmp_path, GROWING.format(now=now), key=["id"], cursor="at", deleted="gone")
    (put, drop), _ = read(spec, tmp_path, cursor)
    assert (put.change, put.rows.column("id").to_pylist()) == (Change.PUT, ["2", "9"]), "the last change counts"
    assert (drop.change, drop.rows.to_pydict()) == (Change.DROP, {"id": ["1"]})
    assert sorted(put.numbers.to_pylist() + drop.numbers.to_pylist()) == [1, 2, 4]


def test_with_a_key_the_rows_are_the_whole_source(tmp_path):
    code = "import pyarrow as pa\ndef rows():\n    yield pa.table({{'id': {ids}}})\n    yield {{'id': -1}}\n"
    _, cursor = read(source(tmp_path, code.format(ids=[1, 2]), key=["id"]), tmp_path)
    assert read(source(tmp_path, code.format(ids=[1, 2]), key=["id"]), tmp_path, cursor) == ([], "")
    batches, after = read(source(tmp_path, code.format(ids=[2]), key=["id"]), tmp_path, cursor)
    assert {batch.change for batch in batches} == {Change.WHOLE}
    assert [row["id"] for row in rows(batches)] == ["2", "-1"]
    for nothing in ("[]", "__import__('pyarrow').table({'id': []})"):
        with pytest.raises(Refused) as caught:
            read(source(tmp_path, f"rows = {nothing}", key=["id"]), tmp_path, after)
        assert caught.value.code == "source_emptied"


def test_without_a_key_rows_may_only_be_added_at_the_end(tmp_path):
    _, cursor = read(source(tmp_path, "rows = [{'id': 1}, {'id': 2}]"), tmp_path)
    for changed in ("[{'id': 1}, {'id': 3}, {'id': 4}]", "[{'id': 1}]", "[]"):
        with pytest.raises(Refused) as caught:
            read(source(tmp_path, f"rows = {changed}"), tmp_path, cursor)
        assert caught.value.code == "source_rewritten"


def test_the_contract_judges_what_the_code_gives(project):
    code = "rows = [{'id': n, 'age': 200 if n == 3 else 30 + n} for n in range(5)]"
    columns = {"age": {"type": "integer", "max": 120}}
    spec = source(project.home, code).model_copy(
        update={"contract": Contract.model_validate({"columns": columns, "max_bad_share": 1})}
    )
    assert (project.ingest(spec).rows, project.reasons()) == (4, [["age: '200' is above 120"]])


@pytest.mark.parametrize(
    ("code", "code_of_error", "words"),
    [
        ("def rows():\n    yield {'id': 1}\n    raise KeyError('token')\n", "source_code_failed", "line 3: KeyError"),
        ("def rows():\n    return 5\n", "source_item_unknown", "int"),
        ("async def rows():\n    yield {'id': 1}\n", "source_item_unknown", "async_generator"),
        ("def rows(since):\n    return []\n", "source_cursor_missing", "since"),
        ("def rows(day):\n    return []\n", "source_code_failed", "TypeError"),
        ("rows = [{'id': object()}]\n", "value_not_text", "object"),
        ("rows = [{'id': 1, 'ID': 2}]\n", "column_twice", "id"),
        ("def rows(:\n", "source_code_failed", "SyntaxError"),
        ("other = 1\n", "hook_not_found", "rows"),
    ],
)
def test_code_that_fails_is_named_with_its_line(tmp_path, code, code_of_error, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        read(source(tmp_path, code), tmp_path)
    assert caught.value.code == code_of_error
    assert caught.value.hint
    assert caught.value.where


def test_a_value_that_cannot_be_compared_is_named(tmp_path):
    with pytest.raises(InvalidInput, match="at is 'yesterday'"):
        read(source(tmp_path, "rows = [{'at': 'yesterday'}]", cursor="at"), tmp_path)
    with pytest.raises(InvalidInput, match="at is None"):
        read(source(tmp_path, "rows = [{'id': 1}]", cursor="at"), tmp_path)


def test_a_connection_that_fails_may_come_back_and_a_missing_file_does_not(tmp_path):
    with pytest.raises(Transient, match="ConnectionResetError"):
        read(source(tmp_path, "def rows():\n    raise ConnectionResetError('by peer')\n"), tmp_path)
    with pytest.raises(InvalidInput, match="FileNotFoundError"):
        read(source(tmp_path, "def rows():\n    return open('no such file')\n"), tmp_path)


def test_an_error_of_ours_that_the_code_raises_is_left_as_it_is(tmp_path):
    code = "from drivetrain.core.errors import NotFound\ndef rows():\n    raise NotFound('web_unknown', 'gone')\n"
    with pytest.raises(NotFound, match="gone"):
        read(source(tmp_path, code), tmp_path)


@pytest.mark.parametrize("name", ["tickets", "source", "made"])
def test_a_resource_of_dlt(tmp_path, name, monkeypatch):
    pytest.importorskip("dlt", reason="dlt is not installed: pip install dlt")
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    (tmp_path / "sources.py").write_text(DLT)
    batches, _ = read(PythonSource(kind="python", path=f"sources.py:{name}"), tmp_path)
    assert [row["id"] for row in rows(batches)] == ["1", "2", "3"]


def test_the_example_of_the_page(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "sources" / "python.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "orders.csv").write_text("id,price,country\n1,2.5,NO\n2,3.5,SE\n")
    (tmp_path / "sources.py").write_text(code)
    spec = PythonSource(kind="python", path="sources.py:orders", cursor="id")
    batches, cursor = read(spec, tmp_path)
    assert rows(batches)[0] == {"id": "1", "price": "2.5", "buyer.country": "NO"}
    assert read(spec, tmp_path, cursor) == ([], "")


def test_many_rows_come_in_batches_of_ten_thousand(tmp_path):
    batches, _ = read(source(tmp_path, "rows = ({'id': n} for n in range(25_000))\n"), tmp_path)
    assert [batch.rows.num_rows for batch in batches] == [10_000, 10_000, 5_000]
    assert [batch.done for batch in batches] == [10_000, 20_000, 25_000]
    numbers = pa.concat_arrays([batch.numbers for batch in batches]).to_pylist()
    assert numbers == list(range(1, 25_001))
