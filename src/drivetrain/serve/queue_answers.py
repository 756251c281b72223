"""The answers of the review queue, read from the lake."""

from __future__ import annotations

import msgspec

from drivetrain.core.model import UNKNOWN
from drivetrain.core.refs import Ref
from drivetrain.core.review_queue import Case, Label, Waiting
from drivetrain.core.task import Task
from drivetrain.ops.packing import pack
from drivetrain.serve.contender import Contender
from drivetrain.serve.predict import explained
from drivetrain.serve.queue_messages import MOST_LISTED, QueueCase, QueuePage
from drivetrain.serve.service import Service
from drivetrain.serve.wording import Reason
from drivetrain.store.review_queue import Found, ReviewQueue


class QueueReader:
    """Reads and answers for one service, in one thread. ``caller`` is whose predictions; None: everybody's."""

    def __init__(self, service: Service) -> None:
        self._queue = ReviewQueue(service.catalog, service.name, service.settings.durability)

    def page(self, which: Waiting, caller: str | None, said: str, offset: int, limit: int) -> QueuePage:
        """Some of what waits."""
        rows = self._queue.waiting(which, caller, said)
        some = rows.slice(offset, min(limit, MOST_LISTED)).to_pylist()
        return QueuePage(rows.num_rows, caller is None, [msgspec.convert(row, Case) for row in some])

    def case(self, prediction_id: str, which: Waiting, caller: str | None, champion: Contender) -> QueueCase:
        """One of them. Raises NotFound."""
        found = self._queue.find(prediction_id, which, caller)
        signature = champion.release.signature
        whole = {name: getattr(found.case, name) for name in found.case.__struct_fields__}
        margins = {field.name for field in signature.inputs if field.of}  # of a text: they tell a person nothing
        whole["inputs"] = {name: value for name, value in found.case.inputs.items() if name not in margins}
        return QueueCase(
            **whole, target=signature.target, choices=list(signature.classes), reasons=_reasons(found, champion)
        )

    def answer(self, prediction_id: str, label: Label, by: str, which: Waiting, caller: str | None) -> bool:
        """Write down an answer; false when it was there. Raises NotFound and Refused."""
        return self._queue.answer(prediction_id, label, by, which, caller)

    def close(self) -> None:
        """Let go of the journal."""
        self._queue.close()


def _reasons(found: Found, champion: Contender) -> list[Reason]:
    """Why, as the release that serves sees it; none of a prediction of another release."""
    signature, case = champion.release.signature, found.case
    if Ref.parse(case.release) != champion.release.ref:
        return []
    inputs = found.row.column("inputs").combine_chunks().flatten()
    names = [field.name for field in found.row.schema.field("inputs").type]
    (row,) = pack(signature, found.row.from_arrays(inputs, names=names))
    if signature.task is not Task.CLASSES:
        return list(explained(champion, row))
    code = signature.classes.index(case.said) if case.said in signature.classes else int(UNKNOWN)
    return list(explained(champion, row, code))
