"""XML: what becomes a column, what becomes a list, and what is refused."""

import json
import tracemalloc

import pytest

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.files import FilesReader
from drivetrain.testing.readers import ReaderContract

ORDERS = """<?xml version="1.0" encoding="{encoding}"?>
<shop xmlns="urn:x" xmlns:a="urn:a" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <made by="no row"/>
  <order id="1" a:state="open">
    <customer><name>Zoë &amp; Co &#8364;</name><city/></customer>
    <price currency="EUR">12.50</price>
    <note><![CDATA[a < b]]></note>
    <line><sku>A</sku><n>1</n></line><line><sku>B</sku></line>
    <tag>x</tag>
  </order>
  <order id="2"><price xsi:nil="true"/><customer><name>NULL</name></customer></order>
</shop>
"""


@pytest.fixture
def orders(source):
    return source("a.xml", options={"record": "order", "lists": ["line", "tag"]})


class TestXmlFolder(ReaderContract):
    def make(self, home, rows):
        (home / "in").mkdir(exist_ok=True)
        items = "".join(f'<item id="{number}"><word>{word}</word></item>' for number, word in rows)
        (home / "in" / f"{rows[0][0]:03}.xml").write_text(f"<all>{items}</all>")
        return FilesSource(kind="files", path="in", record="item")

    def add(self, home, rows):
        return self.make(home, rows)

    def remove(self, home):
        for file in (home / "in").iterdir():
            file.unlink()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-15", "cp1252"])
def test_attributes_and_elements_become_columns(project, orders, encoding):
    project.write("a.xml", ORDERS.format(encoding=encoding).encode(encoding))
    project.ingest(orders)
    assert project.rows() == [
        {
            "id": 1, "state": "open", "customer.name": "Zoë & Co €", "customer.city": None, "price": 12.5,
            "price.currency": "EUR", "note": "a < b", "line": '[{"sku":"A","n":"1"},{"sku":"B"}]', "tag": '["x"]',
        },
        {
            "id": 2, "state": None, "customer.name": None, "customer.city": None, "price": None,
            "price.currency": None, "note": None, "line": None, "tag": None,
        },
    ]  # fmt: skip


def test_an_element_that_repeats_needs_to_be_a_list(project, source):
    project.write("a.xml", "<all><r><a>1</a></r><r><a>2</a><a>3</a></r><r/></all>")
    project.ingest(source("a.xml", options={"record": "r"}))
    assert project.rows() == [{"a": 1}]
    (twice, empty) = project.quarantined()
    assert (twice["row"], json.loads(json.loads(twice["raw"]))) == (2, [["a", "2"], ["a", "3"]])
    assert "`lists`" in twice["reasons"][0]
    assert empty["reasons"] == ["the element is empty"]


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><order id="&c;"/>'
THIEF = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><order><id>&a;</id></order>'
REFUSED = {
    "entities that grow": (BOMB, "xml_dtd", "DTD"),
    "an entity from a file": (THIEF, "xml_dtd", "DTD"),
    "a DTD elsewhere": ('<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><order id="1"/>', "xml_dtd", "DTD"),
    "an unknown entity": ("<order><id>&x;</id></order>", "xml_invalid", "undefined entity"),
    "not closed": ('<all><order id="1"/>', "xml_invalid", "no element found"),
    "no XML": ("id,word\n1,one\n", "xml_invalid", "syntax error"),
    "no such element": ("<all><other/></all>", "record_unknown", "order"),
    "an unknown encoding": ('<?xml version="1.0" encoding="x-secret"?><order id="1"/>', "xml_invalid", "encoding"),
    "a row without end": ("<order><id>" + "1" * 10_000_000, "row_too_long", "4 MB"),
    "a comment without end": ("<all><!--" + "x" * 10_000_000, "row_too_long", "4 MB"),
    "an attribute without end": ('<all x="' + "x" * 10_000_000, "row_too_long", "4 MB"),
    "two columns of one name but for case": ('<order id="1"><ID>2</ID></order>', "column_twice", "case"),
}


@pytest.mark.parametrize(("text", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(project, orders, text, code, said):
    project.write("a.xml", text)
    with pytest.raises(InvalidInput, match=said) as caught:
        project.ingest(orders)
    assert caught.value.code == code
    assert caught.value.where.startswith("a.xml")
    assert caught.value.hint


def test_the_element_that_is_a_row_has_to_be_named(project, source):
    project.write("a.xml", "<order/>")
    with pytest.raises(InvalidInput) as caught:
        project.ingest(source("a.xml"))
    assert caught.value.code == "record_missing"


DEEP = "<e>" * 101 + "x" + "</e>" * 101
LONG_NAMES = "".join(f"<{'n' * 40}{n}>" for n in range(90)) + "<x/>" * 50_000
LONG_NAMES += "".join(f"</{'n' * 40}{n}>" for n in reversed(range(90)))
BROAD = "<x/>" * 100_001


@pytest.mark.parametrize(
    ("inside", "said"), [(DEEP, "deeper than 100"), (LONG_NAMES, "longer than 300"), (BROAD, "more than 100,000")]
)
def test_a_row_that_would_fill_the_memory_is_broken(tmp_path, inside, said):
    (tmp_path / "a.xml").write_text(f'<all><r id="1"/><r>{inside}</r><r id="3"/></all>')
    reader = FilesReader(FilesSource(kind="files", path="a.xml", record="r"), Place(tmp_path, tmp_path))
    tracemalloc.start()
    batch = next(reader.read(""))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch.rows.to_pylist() == [{"id": "1"}, {"id": "3"}]
    assert [(row.number, said in row.reason) for row in batch.broken] == [(2, True)]
    assert most < 200 * 1024 * 1024


def test_many_rows_come_in_batches(tmp_path):
    rows = "".join(f'<r id="{n}"/>' for n in range(1, 25_001))
    (tmp_path / "a.xml").write_text(f"<all>{rows}</all>")
    reader = FilesReader(FilesSource(kind="files", path="a.xml", record="r"), Place(tmp_path, tmp_path))
    *batches, _ = reader.read("")
    assert [number for batch in batches for number in batch.numbers.to_pylist()] == list(range(1, 25_001))
    assert len(batches) > 1
