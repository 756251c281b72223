"""The kind ``documents``: a row for each, once; bad ones in quarantine; originals for so many days."""

import os
import time
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from tests.papers.written import At, docx, mail, pdf

from drivetrain.connect.papers.desk import PaperDesk
from drivetrain.core.errors import NotFound, Transient
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.store.originals import Originals

BILL = pdf([At(50, 60, "Bitte zahlen Sie den Betrag bis zum Ende des Monats."), At(50, 80, "an@example.com")])
LETTER = docx("Dear Sir, please find the report of the year with this letter.")


def documents(path="in", key=(), **options):
    contract = {"max_bad_share": 1, "key": key} if key else {"max_bad_share": 1}
    told = {"kind": "documents", "path": path, "ocr": False, "contract": contract}
    return DocumentsSource.model_validate(told | options)


def test_a_folder_of_documents_becomes_rows(project):
    project.write("in/bill.pdf", BILL)
    project.write("in/deep/letter.docx", LETTER)
    project.write(
        "in/a.eml", mail("Bonjour, nous vous prions de payer la facture.", attached=[("x.bin", "a/b", b"\0\1")])
    )
    project.write("in/table.csv", "no,document\n1,2\n")
    dataset = project.ingest(documents())
    types = {column.name: str(column.type) for column in dataset.schema.columns}
    assert types["pages"] == "integer"
    assert types["written_at"] == "timestamp"
    found = {row["path"]: row for row in project.rows()}
    assert sorted(found) == ["in/a.eml", "in/bill.pdf", "in/deep/letter.docx"]
    assert {name: row["language"] for name, row in found.items()} == {
        "in/a.eml": "fr", "in/bill.pdf": "de", "in/deep/letter.docx": "en",
    }  # fmt: skip
    bill, written = found["in/bill.pdf"], found["in/a.eml"]
    assert bill["text"].endswith("Monats.\n<email>")
    assert (bill["sha256"], bill["pages"], bill["media_type"]) == (sha256(BILL).hexdigest(), 1, "application/pdf")
    assert written["sender"] == "Anna Muster <<email>>"
    assert written["written_at"] == datetime(2024, 3, 5, 9, 15, tzinfo=UTC)
    assert written["notes"].startswith("attachment x.bin")


def test_personal_data_stay_where_they_are_asked_for(project):
    project.write("in/bill.pdf", BILL)
    project.ingest(documents(mask=False))
    assert project.column("text")[0].endswith("an@example.com")


def test_each_document_once_however_it_is_called(project, monkeypatch):
    read = []
    real = PaperDesk.describe
    monkeypatch.setattr(PaperDesk, "describe", lambda desk, content: (read.append(content), real(desk, content))[1])
    project.write("in/a.txt", "first text")
    first = project.ingest(documents())
    assert project.ingest(documents()) == first
    (project.home / "in" / "a.txt").rename(project.home / "in" / "b.txt")
    assert project.ingest(documents()) == first
    os.utime(project.home / "in" / "b.txt", (1, 1))
    assert project.ingest(documents()) == first
    project.write("in/c.txt", "second text")
    assert project.ingest(documents()).rows == 2
    assert read == [b"first text", b"second text"]


@pytest.mark.parametrize(("key", "texts"), [((), ["new text", "old text"]), (("path",), ["new text"])])
def test_another_content_is_another_row_or_takes_the_place(project, key, texts):
    project.write("in/a.txt", "old text")
    project.ingest(documents(key=key))
    project.write("in/a.txt", "new text")
    project.ingest(documents(key=key))
    assert project.column("text") == texts


def test_bad_documents_wait_in_quarantine_and_the_others_are_loaded(project):
    project.write("in/good.txt", "good text")
    project.write("in/broken.pdf", b"%PDF-1.7 nothing")
    project.write("in/large.txt", b"x" * (1024 * 1024 + 1))
    project.write("in/slow.html", b"<p>word</p>" * 90_000)
    project.write("in/picture.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    project.ingest(documents(limits={"mb": 1, "characters": 400_000}))
    assert project.column("path") == ["in/good.txt"]
    reasons = {row["portion"]: row["reasons"][0].partition(":")[0] for row in project.quarantined()}
    assert reasons == {
        "in/broken.pdf": "document_unreadable", "in/large.txt": "document_too_large",
        "in/slow.html": "document_too_large", "in/picture.png": "document_unknown",
    }  # fmt: skip
    project.write("in/broken.pdf", BILL)
    project.ingest(documents(limits={"mb": 1, "characters": 400_000}))
    assert project.column("path") == ["in/broken.pdf", "in/good.txt"]


def test_originals_are_kept_as_long_as_the_rule_says(project):
    project.write("in/a.txt", "kept text")
    project.ingest(documents(retention_days=30))
    originals, name = Originals(project.home / ".drivetrain"), sha256(b"kept text").hexdigest()
    kept = originals.find(name)
    assert kept is not None
    assert kept.read_bytes() == b"kept text"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert originals.sweep(time.time() + 29 * 86400) == 0
    os.utime(kept, (time.time() - 31 * 86400,) * 2)
    project.ingest(documents(retention_days=30))  # nothing new: what is over goes all the same
    assert originals.find(name) is None


def test_without_a_rule_no_original_is_kept(project):
    project.write("in/a.txt", "text")
    project.ingest(documents())
    assert not (project.home / ".drivetrain" / "originals").exists()


def test_a_folder_without_documents_says_what_is_looked_for(project):
    project.write("in/table.csv", "a\n1\n")
    with pytest.raises(NotFound, match=r"\.docx.*\.pdf"):
        project.ingest(documents())


def test_when_nothing_can_read_nothing_is_lost(project, monkeypatch):
    project.write("in/a.txt", "text")
    monkeypatch.setattr("drivetrain.connect.papers.desk._COMMAND", ["/bin/false"])
    with pytest.raises(Transient):
        project.ingest(documents())
    monkeypatch.undo()
    assert project.ingest(documents()).rows == 1
