"""Documents of every kind as text with its layout, and those that are refused."""

import io
import zipfile
from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.papers.written import At, docx, mail, pdf, picture

from drivetrain.core.errors import InvalidInput
from drivetrain.core.reading import PaperLimits
from drivetrain.store.papers.reading import read_paper

SMALL = PaperLimits(bytes=3_000_000, unpacked_bytes=2_000_000, pages=3, characters=5000, nested=3, attachments=5)
BILL = pdf(
    [At(50, 60, "Müller & Söhne GmbH", 14), At(50, 160, "Gesamtbetrag:"), At(400, 160, "1.234,50 €")],
    [At(50, 50, "Zahlbar bis 05.04.2024")],
    title="Rechnung",
    author="Müller",
)


def read(content, limits=SMALL):
    return read_paper(content, limits, ocr=False)


def refused(content, limits=SMALL):
    with pytest.raises(InvalidInput) as caught:
        read(content, limits)
    assert caught.value.hint
    return caught.value.code


def test_a_pdf_has_its_text_with_boxes_and_what_it_says_of_itself():
    paper = read(BILL)
    assert paper.text == "Müller & Söhne GmbH\nGesamtbetrag:\t1.234,50 €\n\nZahlbar bis 05.04.2024"
    assert (paper.title, paper.sender) == ("Rechnung", "Müller")
    assert paper.written_at == datetime(2024, 3, 5, 10, 15, tzinfo=timezone(timedelta(hours=1)))
    assert (paper.pages[0].width, paper.pages[0].height) == (595, 842)
    spot = paper.spot(paper.text.index("1.234"), paper.text.index("1.234") + 10)
    assert spot.page == 1
    assert spot.box == pytest.approx((400, 160.5, 447, 172.3), abs=2)


@pytest.mark.parametrize(("turn", "near"), [(90, (772, 50)), (180, (470, 770)), (270, (60, 490))])
def test_words_of_a_turned_page_stand_where_they_are_seen(turn, near):
    paper = read(pdf([At(50, 60, "Turned around")], extra=f"/Rotate {turn}"))
    first = paper.pages[0].blocks[0].boxes[0]
    assert (first.left, first.top) == pytest.approx(near, abs=25)
    assert sorted(paper.text.split()) == ["Turned", "around"]


def test_a_word_document_keeps_tabs_and_the_cells_of_its_tables():
    paper = read(docx("Dear Sir,", "sum:\t9.00", table=[["Item", "Price"], ["Bolt", "1.50"]], header="ACME Ltd"))
    assert paper.text == "ACME Ltd\nDear Sir,\nsum:\t9.00\nItem\tPrice\nBolt\t1.50"
    assert (paper.title, paper.sender) == ("A letter", "Erika Muster")
    assert paper.written_at == datetime(2024, 3, 5, 9, tzinfo=UTC)


def test_a_mail_has_a_body_and_its_attachments_as_pages():
    attached = [("bill.pdf", "application/pdf", BILL), ("a.bin", "application/octet-stream", b"\0\1\2\3")]
    paper = read(mail("Guten Tag,\nanbei die Rechnung.", html="<p>Guten Tag</p>", attached=attached))
    assert [page.part for page in paper.pages] == ["", "bill.pdf", "bill.pdf"]
    assert paper.text.startswith("Guten Tag,\nanbei die Rechnung.\n\nMüller & Söhne GmbH")
    assert (paper.title, paper.sender) == ("Rechnung für März", "Anna Muster <anna@example.com>")
    assert paper.written_at == datetime(2024, 3, 5, 9, 15, tzinfo=UTC)
    assert paper.notes == ("attachment a.bin: this is binary data, which is not read",)


def test_a_mail_of_html_only_and_one_inside_another():
    inner = b"From: a@example.com\r\nDate: x\r\nContent-Type: text/html; charset=latin-1\r\n\r\n<b>Gr\xfc\xdfe</b>"
    assert read(inner).text == "Grüße"
    assert read(inner).written_at is None
    outer = b"From: b@example.com\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\n" + inner
    assert read(outer).text == "Grüße"


def test_a_page_of_the_web_as_a_person_sees_it():
    source = """<!DOCTYPE html><html><head><meta charset="latin-1"><title>Angebot</title><style>p {}</style></head>
      <body><p>Gr\u00fc\u00dfe<script>x()</script> aus<br>Bonn</p><table><tr><th>a</th><td>&euro; 5</td></tr></table>"""
    paper = read(source.encode("latin-1"))
    assert paper.text == "Grüße aus\nBonn\na\t€ 5"
    assert paper.title == "Angebot"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_plain_text_in_the_encodings_that_happen(encoding):
    paper = read("Grüße,\tJürgen\n\fzweite Seite".encode(encoding))
    assert paper.text == "Grüße,\tJürgen\n\nzweite Seite"
    assert paper.media_type == "text/plain"


def packed(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "/"), content)
    return file.getvalue()


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "document_unreadable"),
        (b"\0\0\0\0", "document_unreadable"),
        (b"%PDF-1.7\nnothing of it", "document_unreadable"),
        (BILL[:200], "document_unreadable"),
        (b"PK\x03\x04" + b"x" * 200, "document_unreadable"),
        (docx("hello")[:-40], "document_unreadable"),
        (docx(body=ENTITIES), "document_unreadable"),
        (docx(body="<x><y></x>"), "document_unreadable"),
        (docx(body="<a>" * 400 + "</a>" * 400), "document_too_large"),
        (packed(xl_workbook="x"), "document_unknown"),
        (b"{\\rtf1 hello}", "document_unknown"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "document_unknown"),
        (b"\x7fELF" + b"\0" * 60, "document_unknown"),
        (picture(BILL), "document_unknown"),
        (picture(BILL, "PDF"), "document_without_text"),
        (b"<html><body> <script>x</script></body></html>", "document_without_text"),
        (pdf(*[[At(50, 50, "x")]] * 4), "document_too_large"),
        (pdf([At(50, 50, "word " * 1100)]), "document_too_large"),
        (b"a" * 3_000_001, "document_too_large"),
        (b"word " * 1100, "document_too_large"),
        (docx("word " * 1100), "document_too_large"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(content, code):
    assert refused(content) == code


def test_a_word_document_that_grows_without_end_is_left_in_time():
    bomb = packed(word_document="x") and packed(**{"word_document.xml": b"<a>" + b" " * 3_000_000 + b"</a>"})
    assert len(bomb) < 10_000
    assert refused(bomb) == "document_too_large"


def test_a_locked_word_document_and_a_locked_pdf_ask_for_no_password():
    content = bytearray(docx("secret"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 1)
    assert refused(bytes(content)) == "document_locked"
    encrypt = "<< /Filter /Standard /V 1 /R 2 /P -4 /O <" + "00" * 32 + "> /U <" + "11" * 32 + "> >>"
    locked = BILL.replace(b"/Info 4 0 R", b"/Encrypt " + encrypt.encode() + b" /ID [<00> <00>]")
    assert refused(locked) == "document_locked"


def test_mails_inside_mails_and_many_attachments_end():
    inner = b"text"
    for _ in range(6):
        inner = mail("in it", attached=[("next.eml", "application/octet-stream", inner)])
    assert refused(inner) == "document_too_large"
    assert refused(mail("x", attached=[(f"{at}.txt", "text/plain", b"x") for at in range(6)])) == "document_too_large"
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (at, at) for at in range(3000))
    assert refused(b"From: a@example.com\nDate: x\nMIME-Version: 1.0\n" + deep) == "document_too_large"


def test_what_a_document_is_called_counts_for_nothing():
    attached = [("picture.png", "image/png", BILL), ("bill.pdf", "application/pdf", docx("from Word"))]
    assert [page.part for page in read(mail("x", attached=attached)).pages] == [
        "",
        "picture.png",
        "picture.png",
        "bill.pdf",
    ]
