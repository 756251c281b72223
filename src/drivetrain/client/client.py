"""Who asks a prediction service: typed, patient within a deadline, and never twice for what may have been recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from drivetrain.client.answers import Answer, Deployed, Health, Label, Prediction, Recorded
from drivetrain.client.attempts import ask
from drivetrain.client.blocks import EXPLAIN, LABELS, PREDICT, STREAM, Block, Form, Row, blocks
from drivetrain.client.refusals import TooLarge, moved
from drivetrain.client.replies import check_count, decoded, lines
from drivetrain.client.wire import Clock, Reply, Request, Wire
from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient


@dataclass(frozen=True, eq=False)
class Client:
    """A caller of one service, over a pool of connections that stay open; threads may share it.

    ``url`` is the address of the server, with the path that a proxy puts before it; ``key`` an API key, which is shown
    nowhere; ``service`` a further service of the server (None: its first). ``timeout`` is how long one attempt may
    take, ``deadline`` how long a call with all its attempts, in seconds; the service hears of it (``X-Deadline-Ms``)
    and refuses at once what it could not answer in time. ``retries`` are attempts after the first one; ``connections``
    is the size of the pool: who finds all of them in use waits. ``ca`` is a PEM file of authorities to trust for HTTPS
    (None: those of the system).

    **What is sent again.** A request that the service cannot have taken: it refused it with 429 or 503, after the
    ``Retry-After`` it gave, or no connection came about. Never a request for predictions whose body may have arrived:
    every prediction is recorded when it is made, so a repeat would record it twice, and count it twice in drift and
    performance. When such an answer is lost, Transient ``answer_lost`` says so, and the caller decides. Labels may
    always be sent again: they carry the time at which they were known, and for each prediction the latest counts.
    Between attempts the client waits, longer each time and for a random share, but never beyond the deadline.

    **What is raised.** The families of ``core.errors``, with the code, message, place and hint of the service:
    InvalidInput (400, 413, 415, 422, and further 4xx), Forbidden (401, 403), NotFound (404), Transient (429, 503, no
    answer, the deadline), DrivetrainError (500, or an answer that is none of ours).
    """

    url: str
    key: InitVar[str]
    _: KW_ONLY
    service: str | None = None
    timeout: float = 10.0
    deadline: float = 30.0
    retries: int = 5
    connections: int = 8
    ca: str | Path | None = None
    _wire: Wire = field(init=False, repr=False)
    _most: dict[Form, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self, key: str) -> None:
        if not (0 < self.timeout < inf and 0 < self.deadline < inf) or self.retries < 0 or self.connections < 1:
            raise InvalidInput(
                "client_invalid",
                f"timeout={self.timeout:g}, deadline={self.deadline:g}, retries={self.retries}, "
                f"connections={self.connections}",
                where="Client",
                hint="times are above 0 and end some day, connections are above 0, retries not below",
            )
        object.__setattr__(self, "_wire", Wire(self.url, key, self.connections, self.ca))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections. What is asked afterwards raises InvalidInput ``client_closed``."""
        self._wire.close()

    def predict(self, rows: Iterable[Row], *, explain: bool = False, deadline: float | None = None) -> Answer:
        """The predictions for the rows, in their order; with ``explain`` each with its strongest reasons.

        More rows than the service takes at a time go in several requests, one after the other, all within the
        deadline. When one of them fails, the error has a note with how many rows were answered (and recorded) before:
        ``stream`` hands those out as they come. Raises what the class says; ``rows[3]`` in an error counts from 0.
        """
        clock = Clock(self.deadline if deadline is None else deadline)
        form = EXPLAIN if explain else PREDICT
        release, predictions = "", list[Prediction]()
        try:
            for block in blocks(rows, lambda: self._at_most(form), "rows"):
                for part, reply in self._answers(block, form, clock):
                    answer = decoded(reply, Answer, self._wire.place)
                    check_count(len(answer.predictions), len(part.items), self._wire.place)
                    release = answer.release
                    predictions += answer.predictions
        except DrivetrainError as error:
            if predictions:
                error.add_note(f"the first {len(predictions):,} rows were answered, and are recorded")
            raise
        if not predictions:
            raise InvalidInput("rows_missing", "there is no row to predict", where="rows", hint="send at least one")
        return Answer(release, tuple(predictions))

    def stream(self, rows: Iterable[Row], *, deadline: float | None = None) -> Iterator[Prediction]:
        """The predictions for any number of rows, in their order, with the memory of a thousand.

        Rows are taken from the iterable a block at a time and sent as NDJSON, each block with a deadline of its own;
        the next is taken when the predictions of the last were taken. What was answered before an error is handed out
        before it is raised, so that the number of predictions taken is the number of the first row without one.
        """
        for block in blocks(rows, lambda: self._at_most(STREAM), "rows"):
            clock = Clock(self.deadline if deadline is None else deadline)
            for part, reply in self._answers(block, STREAM, clock):
                predictions, error = lines(reply, self._wire.place)
                yield from predictions
                if error is not None:
                    raise moved(error, part.start)
                check_count(len(predictions), len(part.items), self._wire.place)

    def label(self, prediction_id: str, label: bool | str | float, at: datetime | None = None) -> None:
        """Tell how the case behind a prediction came out, and when that was known (now when not given)."""
        self.labels([Label(prediction_id, label, at)])

    def labels(self, labels: Iterable[Label], *, deadline: float | None = None) -> int:
        """Tell how many cases came out; gives the number recorded. A thousand go at a time, each with the deadline."""
        recorded = 0
        for block in blocks(map(_dated, labels), lambda: self._at_most(LABELS), "labels"):
            clock = Clock(self.deadline if deadline is None else deadline)
            for _, reply in self._answers(block, LABELS, clock):
                recorded += decoded(reply, Recorded, self._wire.place).recorded
        return recorded

    def ready(self) -> bool:
        """Whether the service answers now; asked once. Raises what the class says, but not Transient."""
        request = Request("GET", "/health/ready")
        try:
            reply = ask(self._wire, request, Clock(self.deadline), self.timeout, retries=0)
        except Transient:
            return False
        services = decoded(reply, Health, self._wire.place).services
        mine = services[:1] if self.service is None else [found for found in services if found.service == self.service]
        return any(found.state == "ready" for found in mine)

    def release(self) -> str:
        """The release that answers now, such as ``release/credit@3``: the champion, while another one is on trial."""
        request = Request("GET", self._path("/v1/deployment"))
        reply = ask(self._wire, request, Clock(self.deadline), self.timeout, self.retries)
        return decoded(reply, Deployed, self._wire.place).champion

    def _answers(self, block: Block, form: Form, clock: Clock) -> Iterator[tuple[Block, Reply]]:
        """The answer to a block, or those to its parts when the service takes less at a time."""
        request = Request("POST", self._path(form.path), form.media, block.body(form), form.repeatable, form.partial)
        try:
            reply = ask(self._wire, request, clock, self.timeout, self.retries)
        except TooLarge as error:
            if len(block.items) == 1:
                raise moved(error, block.start) from None
            self._most[form] = min(self._at_most(form), len(block.items) // 2)
        except DrivetrainError as error:
            moved(error, block.start)
            raise
        else:
            yield block, reply
            return
        for half in block.halves():
            yield from self._answers(half, form, clock)

    def _at_most(self, form: Form) -> int:
        return self._most.get(form, form.most)

    def _path(self, path: str) -> str:
        return path if self.service is None else f"/services/{quote(self.service, safe='')}{path}"


def _dated(label: Label) -> Mapping[str, bool | str | float | datetime]:
    """As it is sent: with its time, so that a repeat tells the same fact."""
    return {"prediction_id": label.prediction_id, "label": label.label, "at": label.at or datetime.now(UTC)}
