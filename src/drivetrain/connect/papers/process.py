"""``python -m drivetrain.connect.papers.process``: a process that reads documents, and does nothing else.

Documents come in on standard input, answers go out on what was standard output: JSON in frames. The process ends when
its input does, that is when its parent is gone, and by itself when a document takes longer than its parent would wait.
"""

from __future__ import annotations

import os
import resource
import signal
from typing import BinaryIO

import msgspec

from drivetrain.connect.papers.frames import ANSWER, DESCRIBE, DONE, MISSING, ORDER, READY, REFUSED, REQUEST, Complaint
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import DrivetrainError, MissingExtra
from drivetrain.core.reading import PaperLimits, PaperReading
from drivetrain.ops.field_tagging import FieldTagger
from drivetrain.ops.paper_rows import row_of
from drivetrain.ops.tagger import Tagger
from drivetrain.store.papers.complaints import too_large, unreadable
from drivetrain.store.papers.reading import read_paper

_GRACE_SECONDS = 2.0


def main() -> None:
    """Take the order, then read document after document until the input ends."""
    documents, answers = _take_pipes()
    (size,) = ORDER.unpack(documents.read(ORDER.size))
    reading = read_json(documents.read(size), PaperReading)
    tagger = FieldTagger(Tagger.from_bytes(reading.tagger)) if reading.tagger else None
    _contain(reading.limits)
    _send(answers, READY, b"")
    while len(head := documents.read(REQUEST.size)) == REQUEST.size:
        asked, size = REQUEST.unpack(head)
        content = documents.read(size)
        if len(content) < size:
            break
        signal.setitimer(signal.ITIMER_REAL, reading.limits.seconds + _GRACE_SECONDS)
        _send(answers, *_answer(asked, content, reading, tagger))
        signal.setitimer(signal.ITIMER_REAL, 0)
    os._exit(0)


def _answer(asked: bytes, content: bytes, reading: PaperReading, tagger: FieldTagger | None) -> tuple[bytes, bytes]:
    try:
        paper = read_paper(content, reading.limits, ocr=reading.ocr)
        told = row_of(paper, tagger, masked=reading.masked) if asked == DESCRIBE else paper
        return DONE, msgspec.json.encode(told)
    except MissingExtra as error:
        return MISSING, msgspec.json.encode(Complaint(error.code, error.library, error.extra))
    except DrivetrainError as error:
        complaint = error
    except (MemoryError, RecursionError):
        complaint = too_large("the document takes more memory than it may")
    except Exception as error:  # noqa: BLE001 - the process boundary: libraries raise anything over a broken document
        complaint = unreadable("document", f"{type(error).__name__}: {error}")
    return REFUSED, msgspec.json.encode(Complaint(complaint.code, complaint.message, complaint.hint))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of the parent, out of the way of what libraries print."""
    documents, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for handle in (0, 1):
        os.dup2(nothing, handle)
    os.close(nothing)
    return os.fdopen(documents, "rb"), os.fdopen(answers, "wb")


def _contain(limits: PaperLimits) -> None:
    """No core files, no more memory than allowed; the alarm ends the process, whatever it is busy with."""
    most = limits.memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _send(answers: BinaryIO, kind: bytes, body: bytes) -> None:
    answers.write(ANSWER.pack(kind, len(body)) + body)
    answers.flush()


if __name__ == "__main__":
    main()
