"""Workbooks: the sheet, the row of names, cells of every type; and what is no workbook."""

import io
import zipfile

import pytest

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.sources.files import FilesSource
from drivetrain.testing.readers import ReaderContract

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
DAY, MOMENT = 1, 2


def cell(place, value):
    """A value of Python; ``(number, style)`` is a day or a moment; text that starts with # is an error."""
    match value:
        case None:
            return ""
        case bool():
            return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
        case (number, style):
            return f'<c r="{place}" s="{style}"><v>{number}</v></c>'
        case str() if value.startswith("#"):
            return f'<c r="{place}" t="e"><v>{value}</v></c>'
        case str():
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def sheet(rows):
    cells = (
        "".join(cell(f"{letter}{number}", value) for letter, value in zip("ABCDEFGHI", row, strict=False))
        for number, row in enumerate(rows, start=1)
    )
    lines = (f'<row r="{number}">{inside}</row>' for number, inside in enumerate(cells, start=1))
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def workbook(**sheets):
    """The bytes of an .xlsx file."""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": relationships([("r", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="1" r:id="{name}"/>' for name in sheets)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relationships(
            [("s", "styles", "styles.xml"), *((name, "worksheet", f"worksheets/{name}.xml") for name in sheets)]
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs>'
        '<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/></cellXfs></styleSheet>',
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (parts | {f"xl/worksheets/{name}.xml": sheet(rows) for name, rows in sheets.items()}).items():
            archive.writestr(name, text)
    return sink.getvalue()


def relationships(found):
    inside = "".join(f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{to}"/>' for key, kind, to in found)
    return f'<Relationships xmlns="{PACKAGE}/relationships">{inside}</Relationships>'


class TestWorkbooks(ReaderContract):
    def make(self, home, rows):
        (home / "in").mkdir(exist_ok=True)
        (home / "in" / f"{rows[0][0]:03}.xlsx").write_bytes(workbook(words=[("id", "word"), *rows]))
        return FilesSource(kind="files", path="in")

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        for file in (home / "in").iterdir():
            file.unlink()


def test_cells_of_every_type(project, source):
    rows = [
        ("id", "name", "day", "at", "ok", "share", "code"),
        (1, "Zoë", (45292, DAY), (45292.5, MOMENT), True, 0.1, "007"),
        (2, "#N/A", (45293, DAY), None, False, 2, "NA"),
        (3, "Bo", None, (45294, MOMENT), None, None, None),
    ]
    project.write("a.xlsx", workbook(people=rows))
    dataset = project.ingest(source("a.xlsx"))
    assert [str(column.type) for column in dataset.schema.columns] == [
        "integer", "text", "date", "timestamp", "boolean", "number", "text",
    ]  # fmt: skip
    first, second, third = ({key: str(value) for key, value in row.items()} for row in project.rows())
    assert first == {
        "id": "1", "name": "Zoë", "day": "2024-01-01", "at": "2024-01-01 12:00:00+00:00", "ok": "True",
        "share": "0.1", "code": "007",
    }  # fmt: skip
    assert (third["day"], third["at"]) == ("None", "2024-01-03 00:00:00+00:00")
    assert (second["name"], second["at"], second["code"]) == ("None", "None", "None")


def test_the_sheet_and_the_row_of_names_are_named(project, source):
    rows = [("Report of 2024",), (), ("id", None, "word", None), (1, "x", "one"), (), (2, None, "two", "stray"), (3,)]
    project.write("a.xlsx", workbook(cover=[("nothing",)], data=rows))
    project.ingest(source("a.xlsx", options={"sheet": "data", "header_row": 3}))
    assert project.rows() == [{"id": 1, "column_2": "x", "word": "one"}, {"id": 3, "column_2": None, "word": None}]
    assert [(row["row"], row["reasons"]) for row in project.quarantined()] == [
        (3, ["there is a value right of the last of 3 columns"])
    ]


def test_a_sheet_of_many_rows(project, source):
    project.write("a.xlsx", workbook(data=[("id",), *((n,) for n in range(25_000))]))
    assert project.ingest(source("a.xlsx")).rows == 25_000


def test_a_sheet_that_is_not_there(project, source):
    project.write("a.xlsx", workbook(first=[("id",)], second=[("id",)]))
    with pytest.raises(NotFound, match="first, second") as caught:
        project.ingest(source("a.xlsx", options={"sheet": "third"}))
    assert caught.value.code == "sheet_unknown"


GOOD = workbook(data=[("id",), *((n,) for n in range(9999))])
BAD = {
    "a picture": (b"\xff\xd8\xff" * 99, "JPEG"),
    "cut off": (GOOD[:-100], "damaged"),
    "damaged inside": (GOOD[: len(GOOD) // 2] + bytes(99) + GOOD[len(GOOD) // 2 + 99 :], "damaged"),
    "an archive of something else": (b"PK\x05\x06" + bytes(18), "damaged"),
    "an old workbook, damaged": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "damaged"),
    "an empty sheet": (workbook(data=[]), "header_row"),
}


@pytest.mark.parametrize(("content", "said"), BAD.values(), ids=BAD)
def test_what_is_no_workbook(project, source, content, said):
    project.write("a.xlsx", content)
    with pytest.raises(InvalidInput, match=said) as caught:
        project.ingest(source("a.xlsx"))
    assert caught.value.code == "excel_invalid"
    assert caught.value.where == "a.xlsx"
    assert caught.value.hint


def test_a_value_far_away_would_fill_the_memory_too(project, source):
    rows = [("id", "word"), (1, "one")]
    content = workbook(data=rows)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    parts["xl/worksheets/data.xml"] = parts["xl/worksheets/data.xml"].replace(b"</sheetData>", far)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    project.write("a.xlsx", sink.getvalue())
    with pytest.raises(InvalidInput, match="17,179,869,184 cells"):
        project.ingest(source("a.xlsx"))


def test_a_workbook_that_would_fill_the_memory(project, source, monkeypatch):
    monkeypatch.setattr("drivetrain.store.files.excel._LARGEST", 2_000_000)
    project.write("a.xlsx", workbook(data=[("id",), ("x" * 2_000_000,)]))
    with pytest.raises(InvalidInput, match="bytes unpacked"):
        project.ingest(source("a.xlsx"))
