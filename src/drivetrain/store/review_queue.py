"""The review queue of a service, read from the lake: what waits for a person is what nobody has labelled yet.

There is no list of what waits. Whoever asks first lets the journal move into the lake, so that what was answered a
moment ago, by the server or by a person, counts. An answer is a label in the journal like any other; one person at a
time answers, so that nobody answers what somebody else just did.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from drivetrain.core.decoding import read_json
from drivetrain.core.errors import NotFound, Refused, Tampered
from drivetrain.core.model import CLASS, HIGH, LOW, RULE
from drivetrain.core.review_queue import Answered, Case, Label, Value, Waiting, WholeCase
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import Roller
from drivetrain.store.locks import alone
from drivetrain.store.segments import Durability, LabelLog, LabelRecord
from drivetrain.store.unwritable import unwritable

_PLAIN = ("at", "release", "caller", "entity", "score", "decision")
_OUTPUTS = (CLASS, LOW, HIGH, RULE)


@dataclass(frozen=True)
class Found:
    """A prediction that waits or waited: what is shown of it, and its inputs [1 row] as they were recorded."""

    case: WholeCase
    row: pa.Table


class ReviewQueue:
    """The queue of one service. ``caller``: only what they asked themselves. Not for use by several threads."""

    def __init__(self, catalog: Catalog, service: str, durability: Durability = "process") -> None:
        self._journal = catalog.journal_path(service)
        self._roller = Roller(catalog, service)
        self._predictions, self._labels = (self._roller.tables[kind] for kind in ("predictions", "labels"))
        self._log = LabelLog(self._journal, durability=durability)

    def waiting(self, which: Waiting, caller: str | None = None, said: str = "") -> pa.Table:
        """What waits, oldest first: a row for each ``Case``; only of the class ``said``, if one is named.

        Raises Transient when the lake cannot be written.
        """
        self._catch_up()
        if not self._predictions.exists():
            return pa.table({"id": pa.array([], pa.string())})
        wanted = _wanted(which, caller)
        names = ["prediction_id", *_PLAIN, *(name for name in _OUTPUTS if name in self._predictions.schema().names)]
        if said:
            wanted &= (ds.field(CLASS) == said) if CLASS in names else ds.scalar(False)
        found = self._predictions.dataset().to_table(columns=names, filter=wanted)
        if self._labels.exists():
            told = self._labels.read(columns=["prediction_id"])["prediction_id"]
            found = found.filter(pc.invert(pc.is_in(found["prediction_id"], value_set=told)))
        return found.rename_columns(["id", *names[1:]]).sort_by([("at", "ascending"), ("id", "ascending")])

    def find(self, prediction_id: str, which: Waiting, caller: str | None = None) -> Found:
        """A prediction that waits or has its answer. Raises NotFound for any other, Transient as ``waiting`` does."""
        self._catch_up()
        rows = pa.table({})
        if self._predictions.exists():
            wanted = _wanted(which, caller) & (ds.field("prediction_id") == prediction_id)
            rows = self._predictions.dataset().to_table(filter=wanted)
        if not rows.num_rows:
            raise NotFound(
                "case_unknown",
                "no prediction of this id waits for a person",
                where=prediction_id[:40],
                hint="GET /v1/queue, or `drivetrain queue`, lists what waits",
            )
        row = rows.to_pylist()[0]
        known = {name: row[name] for name in (*_PLAIN, *_OUTPUTS) if row.get(name) is not None}
        case = msgspec.convert({"id": prediction_id, "entity": None} | known, Case)
        whole = {name: getattr(case, name) for name in Case.__struct_fields__}
        inputs = {name: _value(value) for name, value in row["inputs"].items()}
        event = read_json(row["event"], dict[str, Value]) if row.get("event") else None
        return Found(WholeCase(**whole, inputs=inputs, event=event, answer=self._answer(prediction_id)), rows)

    def answer(self, prediction_id: str, label: Label, by: str, which: Waiting, caller: str | None = None) -> bool:
        """Write down what was true; false when it was said before. It is on disk, as labels are, when this returns.

        Raises NotFound, Refused for another answer than the one that is there, and Transient when nothing can be
        written.
        """
        with alone(self._journal / "queue.lock"):
            before = self.find(prediction_id, which, caller).case.answer
            if before is not None and before.label != label:
                raise _answered(before)
            if before is None:
                self._log.append([LabelRecord(prediction_id, label, datetime.now(UTC), by)])
                self._log.flush()
        return before is None

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()

    def _catch_up(self) -> None:
        try:
            with suppress(Tampered):  # all that is whole has moved; the recorder tells of the rest
                self._roller.roll()
        except OSError as error:
            raise unwritable("the lake", self._journal, error) from error

    def _answer(self, prediction_id: str) -> Answered | None:
        """The newest label: the one that counts."""
        if not self._labels.exists():
            return None
        rows = self._labels.dataset().to_table(filter=ds.field("prediction_id") == prediction_id)
        told = max(rows.to_pylist(), key=lambda row: row["at"], default=None)
        return None if told is None else Answered(told["label"], told["at"], told["caller"])


def _wanted(which: Waiting, caller: str | None) -> ds.Expression:
    kinds = [] if which.decision is None else [ds.field("decision") == which.decision]
    if which.score is not None:
        kinds.append((ds.field("score") >= which.score[0]) & (ds.field("score") <= which.score[1]))
    since = pa.scalar(datetime.now(UTC) - timedelta(days=which.days), pa.timestamp("us", tz="UTC"))
    wanted = (kinds[0] | kinds[-1]) & (ds.field("at") >= since)
    return wanted if caller is None else wanted & (ds.field("caller") == caller)


def _value(value: object) -> Value:
    """An input as JSON writes it."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | float | None) else float(str(value))


def _answered(before: Answered) -> Refused:
    return Refused(
        "case_answered",
        f"{before.by} has answered it: {before.label}",
        where="label",
        hint="take the next one; POST /v1/labels puts a label in the place of another",
    )
