"""Records of fixed width: EBCDIC and packed decimals as a mainframe writes them, and lines of text."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.core.sources.files import FilesSource
from drivetrain.core.sources.written import FixedLayout, Written
from drivetrain.ingest.files import FilesReader
from drivetrain.store.files.content import Content
from drivetrain.store.files.fixed import read_fixed
from drivetrain.testing.readers import ReaderContract

WORDS = {"fields": [{"name": "id", "width": 4, "type": "number"}, {"name": "word", "width": 8}]}
LEDGER = {
    "line_ends": False,
    "length": 40,
    "fields": [
        {"name": "account", "width": 8},
        {"name": "amount", "width": 5, "type": "packed", "scale": 2},
        {"name": "units", "width": 4, "type": "binary"},
        {"name": "rate", "width": 6, "type": "zoned", "scale": 4},
        {"name": "opened", "width": 8, "type": "date"},
        {"name": "branch", "start": 35, "width": 3, "type": "number"},
    ],
}


def packed(number, width):
    digits = f"{abs(number):0{2 * width - 1}d}"
    return bytes.fromhex(digits + ("d" if number < 0 else "c"))


def zoned(number, width):
    digits = f"{abs(number):0{width}d}"
    return digits[:-1] + ("}JKLMNOPQR" if number < 0 else "{ABCDEFGHI")[int(digits[-1])]


def ledger(account, amount, units, rate, opened, branch):
    """A record in EBCDIC, as COBOL would move these values into it."""
    text = f"{account:8}".encode("cp037") + packed(amount, 5) + units.to_bytes(4, "big", signed=True)
    text += (zoned(rate, 6) + opened).encode("cp037")
    return text + "   ".encode("cp037") + branch.encode("cp037") + "   ".encode("cp037")


@pytest.fixture
def books(source):
    return source("a.bin", options={"format": "fixed", "encoding": "cp037", "layout": LEDGER})


class TestLines(ReaderContract):
    def make(self, home, rows):
        (home / "words.txt").write_text("".join(f"{number:4}{word:8}\n" for number, word in rows))
        return self.spec_()

    def add(self, home, rows):
        with (home / "words.txt").open("a") as file:
            file.writelines(f"{number:4}{word:8}\n" for number, word in rows)
        return self.spec_()

    def remove(self, home):
        (home / "words.txt").unlink()

    def spec_(self):
        return FilesSource(kind="files", path="words.txt", format="fixed", layout=FixedLayout.model_validate(WORDS))


class TestRecords(TestLines):
    def make(self, home, rows):
        (home / "words.txt").write_bytes("".join(f"{number:4}{word:8}" for number, word in rows).encode("cp037"))
        return self.spec_()

    def add(self, home, rows):
        with (home / "words.txt").open("ab") as file:
            file.write("".join(f"{number:4}{word:8}" for number, word in rows).encode("cp037"))
        return self.spec_()

    def spec_(self):
        layout = FixedLayout.model_validate(WORDS | {"line_ends": False})
        return FilesSource(kind="files", path="words.txt", format="fixed", encoding="cp037", layout=layout)


def test_a_file_of_a_mainframe(project, books):
    project.write(
        "a.bin",
        ledger("ZOË", 1234567, -5, 10625, "20240229", "007") + ledger("B", -1, 2**31 - 1, -5, "00000000", "   "),
    )
    dataset = project.ingest(books)
    assert [str(column.type) for column in dataset.schema.columns] == [
        "text", "number", "integer", "number", "date", "integer",
    ]  # fmt: skip
    assert project.rows() == [
        {
            "account": "ZOË", "amount": 12345.67, "units": -5, "rate": 1.0625,
            "opened": datetime.date(2024, 2, 29), "branch": 7,
        },
        {"account": "B", "amount": -0.01, "units": 2**31 - 1, "rate": -0.0005, "opened": None, "branch": None},
    ]  # fmt: skip


def test_what_was_never_filled_in_is_missing_and_what_does_not_fit_is_quarantined(project, books):
    good = ledger("A", 1, 1, 1, "20240101", "001")
    spaces, zeros = good[:8] + b"\x40" * 5 + good[13:], good[:8] + b"\x00" * 5 + good[13:]
    letters, day = good[:8] + b"\xc1" * 5 + good[13:], ledger("A", 1, 1, 1, "20241301", "001")
    project.write("a.bin", good + spaces + zeros + letters + day)
    project.ingest(books)
    assert project.column("amount") == [0.01, None, None]
    first, second = project.quarantined()
    assert (first["row"], first["reasons"]) == (4, ["amount: x'C1C1C1C1C1' is no packed number"])
    assert json.loads(first["raw"]).startswith("c1 40 40 40 40 40 40 40 c1 c1 c1 c1 c1 00")
    assert (second["row"], second["reasons"]) == (5, ["opened: '20241301' is no date of the form %Y%m%d"])


def test_lines_of_text(project, source):
    layout = {
        "only": {"text": "D"},
        "fields": [
            {"name": "name", "start": 2, "width": 6},
            {"name": "n", "width": 6, "type": "number", "scale": 2},
            {"name": "z", "width": 3, "type": "zoned"},
            {"name": "day", "width": 8, "type": "date", "format": "%d.%m.%y"},
        ],
    }
    lines = [
        "HDR of 2024",
        "DZoë   00012312C01.02.24",
        "DBo     -1.5 12q",
        "",
        "DCy    00",
        "DDi    x     1  01.02.24",
        "DEd    1     1  01.02.24 and more",
        "T 5",
    ]
    project.write("a.txt", "\ufeff" + "\r\n".join(lines))
    project.ingest(source("a.txt", options={"format": "fixed", "layout": layout}))
    assert project.rows() == [
        {"name": "Zoë", "n": 1.23, "z": 123, "day": datetime.date(2024, 2, 1)},
        {"name": "Bo", "n": -1.5, "z": -121, "day": None},
    ]
    assert [(row["row"], row["reasons"]) for row in project.quarantined()] == [
        (5, ["n: the record ends inside the field"]),
        (6, ["n: 'x' is no number"]),
        (7, ["the record has 33 places, the layout 24"]),
    ]


def test_a_file_that_ends_inside_a_record(project, books):
    project.write("a.bin", ledger("A", 1, 1, 1, "20240101", "001") + bytes(7))
    with pytest.raises(InvalidInput, match="7 bytes into a record of 40") as caught:
        project.ingest(books)
    assert caught.value.code == "record_cut"


def test_records_that_were_changed_are_refused(project, books):
    project.write("a.bin", ledger("A", 1, 1, 1, "20240101", "001"))
    project.ingest(books)
    project.write("a.bin", ledger("B", 1, 1, 1, "20240101", "001") * 2)
    with pytest.raises(Refused) as caught:
        project.ingest(books)
    assert caught.value.code == "file_rewritten"


def test_the_layout_has_to_be_there(project, source):
    project.write("a.txt", "1")
    with pytest.raises(InvalidInput) as caught:
        project.ingest(source("a.txt", options={"format": "fixed"}))
    assert caught.value.code == "layout_missing"


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"fields": []}, "at least 1"),
        ({"fields": [{"name": "a", "width": 3, "type": "packed"}]}, "line_ends: false"),
        ({"fields": [{"name": "a", "width": 3, "type": "binary"}], "line_ends": False}, "1, 2, 4 or 8"),
        ({"fields": [{"name": "a", "width": 3}], "length": 2}, "`length`"),
        ({"fields": [{"name": "a", "width": 3}, {"name": "A", "width": 3}]}, "twice"),
    ],
)
def test_a_layout_that_cannot_be(layout, said):
    with pytest.raises(ValidationError, match=said):
        FilesSource.model_validate({"kind": "files", "path": "a", "layout": layout})


def test_letters_of_another_encoding_are_broken_rows(tmp_path):
    (tmp_path / "a").write_bytes("   1Zoë     ".encode("latin-1"))
    layout = FixedLayout.model_validate(WORDS | {"line_ends": False})
    reader = FilesReader(FilesSource(kind="files", path="a", format="fixed", layout=layout), Place(tmp_path, tmp_path))
    batch = next(reader.read(""))
    assert [row.reason for row in batch.broken] == ["word: a byte is no letter in this `encoding`"]


@given(
    numbers=st.lists(
        st.tuples(st.integers(-(10**9) + 1, 10**9 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-99999, 99999)),
        min_size=1,
        max_size=20,
    )
)
def test_every_number_comes_back(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("fixed") / "a.bin"
    path.write_bytes(b"".join(ledger("x", *three, "20240101", "001") for three in numbers))
    written = Written(format="fixed", encoding="cp037", layout=FixedLayout.model_validate(LEDGER))
    with Content("a.bin", path) as content:
        (batch,) = read_fixed(content, written, 1)
    rows = batch.rows.to_pylist()
    found = [(round(float(row["amount"]) * 100), int(row["units"]), round(float(row["rate"]) * 10_000)) for row in rows]
    assert found == numbers
