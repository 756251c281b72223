"""``POST /v1/documents``: a document in; its text and fields out, and what the model says of it where it reads that.

The document is read in a process of its own, as the source of documents that the service names reads it, so that what
the model is given is what it learned from.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from functools import partial

import msgspec

from drivetrain.connect.http.messages import Answer, Exchange
from drivetrain.connect.papers.desk import PaperDesk
from drivetrain.core.papers import PaperRow
from drivetrain.core.reading import PaperReading
from drivetrain.serve.beside import Beside, answer_later, failure
from drivetrain.serve.door import Endpoint, caller_of
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.predict import headers_of
from drivetrain.serve.rows import RowForm, Rows
from drivetrain.serve.scoring import Request
from drivetrain.serve.sections import Missing
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Scored, predictions
from drivetrain.store.papers.media import MEDIA_TYPES

_MOST_WAITING = 16
TAKEN = (*MEDIA_TYPES, "application/octet-stream")
"""Media types of bodies. Which it is, the first bytes tell all the same."""


class DocumentAnswer(msgspec.Struct, frozen=True):
    """What was read, what the model says of it (null when it reads nothing of a document), and the release."""

    release: str
    prediction: msgspec.Struct | None
    document: PaperRow


class Papers:
    """The endpoint of one service."""

    def __init__(self, service: Service, reading: PaperReading) -> None:
        self._service, self._reading = service, reading
        self._beside = Beside(min(_MOST_WAITING, service.settings.max_waiting_requests))
        self._desk = PaperDesk(reading)
        self._tagger = b""
        service.surroundings.closing.callback(self._close)

    def __call__(self, exchange: Exchange) -> None:
        """Read the document beside the loop, then score its row. Raises Transient."""
        release = self._service.standing().champion.contender.release
        answer_later(exchange, self._answer, exchange, release)

    async def _answer(self, exchange: Exchange, release: LoadedRelease) -> Answer | None:
        row = await self._beside.do(partial(self._describe, exchange.body, release))
        form = self._service.standing().champion.contender.form
        if not values_of(row, form):
            caller_of(exchange).charge(1)
            return _told(str(release.ref), None, row)
        late = time.perf_counter() + self._service.patience(exchange)
        self._service.queue(_Described(exchange, row), caller_of(exchange), late)
        return None

    def _describe(self, content: bytes, release: LoadedRelease) -> PaperRow:
        """Only one thread comes here at a time."""
        tagger = release.project.get(self._service.settings.tagger, b"")
        if tagger != self._tagger:
            self._desk.close()
            self._desk, self._tagger = PaperDesk(replace(self._reading, tagger=tagger)), tagger
        return self._desk.describe(content)

    def _close(self) -> None:
        self._desk.kill()
        self._beside.close()


class _Described(Request):
    """The row of a document."""

    def __init__(self, exchange: Exchange, row: PaperRow) -> None:
        self._exchange, self._row = exchange, row

    def read(self, form: RowForm) -> Rows:
        return form.read(msgspec.json.encode({"rows": [values_of(self._row, form)]}))

    def tell(self, result: Scored | Exception) -> None:
        if isinstance(result, Scored):
            (said,) = predictions(result)
            self._exchange.answer(_told(result.release, said, self._row))
        else:
            self._exchange.answer(failure(result))


def values_of(row: PaperRow, form: RowForm) -> dict[str, str | int | None]:
    """What a model asks for that a document has, by name; its only free text is the document's, whatever it is called.

    Empty when it asks for nothing that is text.
    """
    free = form.signature.texts
    known = {name: value for name, value in asdict(row).items() if name in form.names and name != "fields"}
    if len(free) == 1:
        known[free[0]] = row.text
    return known if {"text", *free} & set(known) else {}


def _told(release: str, said: msgspec.Struct | None, row: PaperRow) -> Answer:
    return Answer(200, headers_of(release), msgspec.json.encode(DocumentAnswer(release, said, row)))


def endpoints(service: Service) -> dict[str, Endpoint]:
    """The endpoint by media type."""
    reading = service.settings.documents
    return dict.fromkeys(
        TAKEN, Missing("service.documents", service.name) if reading is None else Papers(service, reading)
    )
