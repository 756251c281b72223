"""Documents are read in a process of their own: one that ends it or never ends costs nobody else anything."""

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.papers.written import At, docx, mail, pdf

from drivetrain.connect.papers.desk import PaperDesk
from drivetrain.core.errors import InvalidInput
from drivetrain.core.reading import PaperLimits, PaperReading


@pytest.fixture
def desk():
    with PaperDesk(PaperReading(PaperLimits(bytes=10_000_000), ocr=False)) as desk:
        yield desk


def test_documents_are_read_one_after_the_other_from_any_thread(desk):
    contents = [docx(f"letter {number}") for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        papers = list(pool.map(desk.read, contents))
    assert [paper.text for paper in papers] == [f"letter {number}" for number in range(8)]


def test_what_a_document_is_refused_for_arrives_here(desk):
    with pytest.raises(InvalidInput) as caught:
        desk.read(b"%PDF-1.7 nothing")
    assert caught.value.code == "document_unreadable"
    with pytest.raises(InvalidInput) as caught:
        desk.read(b"x" * 10_000_001)
    assert caught.value.code == "document_too_large"


def test_a_document_that_takes_too_long_is_given_up_and_the_next_is_read():
    slow = b"<html>" + b"<p>word</p>" * 800_000
    with PaperDesk(PaperReading(PaperLimits(seconds=0.4), ocr=False)) as desk:
        with pytest.raises(InvalidInput) as caught:
            desk.read(slow)
        assert caught.value.code == "document_harmful"
        assert desk.read(b"short").text == "short"


def test_a_process_that_ends_is_replaced(desk):
    assert desk.read(b"one").text == "one"
    os.kill(desk.pid, signal.SIGKILL)
    with pytest.raises(InvalidInput) as caught:
        desk.read(b"two")
    assert caught.value.code == "document_harmful"
    assert desk.read(b"two").text == "two"


def test_memory_is_bounded():
    limits = PaperLimits(memory_mb=400, characters=100_000_000, bytes=100_000_000, seconds=60)
    with PaperDesk(PaperReading(limits, ocr=False)) as desk:
        with pytest.raises(InvalidInput) as caught:
            desk.read(b"w\n" * 8_000_000)
        assert caught.value.code in ("document_too_large", "document_harmful")
        assert desk.read(pdf([At(50, 50, "next")])).text == "next"


def test_the_process_is_gone_afterwards():
    with PaperDesk(PaperReading(ocr=False)) as desk:
        desk.read(b"one")
        pid = desk.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_document_is_described_with_its_fields(desk):
    row = desk.describe(pdf([At(50, 50, "Bitte zahlen Sie den Betrag von"), At(300, 50, "1.234,50 EUR")]))
    assert (row.language, row.pages, row.media_type) == ("de", 1, "application/pdf")
    (amount,) = row.fields
    assert (amount.kind, amount.value, amount.page) == ("amount", "1234.50 EUR", 1)
    assert amount.box is not None
    assert amount.box.left == pytest.approx(300, abs=2)


@pytest.mark.parametrize("rounds", [pytest.param(40), pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_documents_are_read_or_refused_by_name(desk, rounds):
    chance = random.Random(rounds)
    whole = [
        pdf([At(50, 50, "Total: 1,234.50 EUR")], [At(50, 50, "next")], title="x"),
        docx("Dear Sir", table=[["a", "1"]], header="h"),
        mail("see this", html="<p>see</p>", attached=[("a.pdf", "application/pdf", pdf([At(9, 9, "x")]))]),
        b"<html><head><title>t</title></head><body><table><tr><td>1</td></tr></table></body></html>",
    ]
    for number in range(rounds):
        content = bytearray(whole[number % len(whole)])
        for _ in range(chance.randrange(1, 30)):
            at = chance.randrange(len(content))
            content[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(6))
        with suppress(InvalidInput):
            desk.describe(bytes(content))
    assert desk.read(b"still here").text == "still here"
