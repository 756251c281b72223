"""What was recorded of each entity (a machine, a customer), read from the lake; nothing is kept of it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from drivetrain.core.entity_view import EntityView, FlagRule
from drivetrain.core.errors import NotFound
from drivetrain.ops.alarms import changed, standing
from drivetrain.store.catalog import Catalog
from drivetrain.store.entity_names import EntityNames, seen_inputs
from drivetrain.store.journal import NUMBER, output_columns
from drivetrain.store.tables import Table

SAID = ("at", "prediction_id", "release", "score", "decision")
"""What is told of every prediction, beside the outputs."""
_WHOSE = "whose"
_UNSURE = -1


@dataclass(frozen=True)
class EntityAlarm:
    """An alarm of one entity: whether it stands, and when it was raised and cleared: ``at``, ``prediction_id``,
    ``alarm`` (raised, cleared), the oldest first.
    """

    outlet: str
    raised: bool
    changes: pa.Table


@dataclass(frozen=True)
class EntityHistory:
    """One entity: how many predictions there were, and the newest of them, the oldest first, with their labels.

    ``rows`` has the columns SAID, the outputs, ``label`` and ``labelled_at``; ``inputs`` what of the same rows may be
    seen, with the columns of their events where the model has windows; ``newest`` is the last row as the model saw it.
    """

    name: str
    total: int
    rows: pa.Table
    inputs: pa.Table
    newest: pa.Table
    alarms: tuple[EntityAlarm, ...]


class EntityLake:
    """The entities of one service. Not for use by several threads."""

    def __init__(self, catalog: Catalog, service: str, view: EntityView) -> None:
        self._predictions = Table(catalog.table_path("predictions", service))
        self._labels = Table(catalog.table_path("labels", service))
        self._view = view

    def all(self, contains: str = "") -> pa.Table:
        """The entities among the newest predictions with this in their name; alarms first, then the worst score.

        Columns: ``entity``, SAID and the outputs of the newest prediction, ``predictions`` (how many of those looked
        at), ``alarms`` (the outlets whose alarm stands). Raises NotFound before the first prediction.
        """
        names, newest = self._open()
        start = max(0, newest - self._view.newest)
        rows = self._read(names, [*SAID, *self._outputs()], ds.field(NUMBER) > start)
        rows = rows.filter(pc.match_substring(rows[_WHOSE], contains, ignore_case=True))
        run, rows = _by_run(rows)
        last = np.flatnonzero(np.append(run[1:] != run[:-1], True)) if len(run) else np.empty(0, dtype=np.int64)
        found = rows.take(last).rename_columns(["entity" if name == _WHOSE else name for name in rows.column_names])
        raised: dict[str, NDArray[np.bool_]] = {}
        for outlet, rule in self._view.alarms.items():
            stands = standing(run, rows["decision"].to_numpy(), rule.flags, rule.of, whole=start == 0)[last]
            unsure = found["entity"].filter(pa.array(stands == _UNSURE)).to_pylist()
            deeper = self._deeper(names, unsure, rule) if unsure else {}
            raised[outlet] = np.array(
                [deeper.get(name, said == 1) for name, said in zip(found["entity"].to_pylist(), stands, strict=True)],
                dtype=np.bool_,
            )
        alarms = [[outlet for outlet in raised if raised[outlet][at]] for at in range(len(last))]
        counts = np.diff(np.append(-1, last))
        found = found.append_column("predictions", pa.array(counts, pa.int64()))
        found = found.append_column("alarms", pa.array(alarms, pa.list_(pa.string())))
        return self._worst_first(self._shown(found.drop_columns([NUMBER])))

    def one(self, name: str, most: int) -> EntityHistory:
        """One entity, with its newest ``most`` predictions. Raises NotFound when nothing is recorded of it."""
        names, _ = self._open()
        flags = self._of(names, name, ["at", "prediction_id", "decision"], None)
        shown = self._shown(flags)
        if not shown.num_rows:
            raise _nothing(name)
        first = shown[NUMBER][max(0, shown.num_rows - most)].as_py()
        wanted = [
            *SAID,
            *self._outputs(),
            "inputs",
            *(["event"] if "event" in self._predictions.schema().names else []),
        ]
        rows = self._of(names, name, wanted, ds.field(NUMBER) >= first)
        alarms = tuple(self._alarm(outlet, rule, flags) for outlet, rule in self._view.alarms.items())
        newest = pa.Table.from_struct_array(rows["inputs"].combine_chunks()[-1:])
        said = self._labelled(rows.select([*SAID, *self._outputs()]))
        return EntityHistory(name, shown.num_rows, said, seen_inputs(rows, self._view.hide), newest, alarms)

    def _open(self) -> tuple[EntityNames, int]:
        state = self._predictions.state()
        if state is None:
            raise _nothing("")
        return EntityNames(self._view, self._predictions.schema()), state.commit.rows

    def _outputs(self) -> list[str]:
        return output_columns(self._predictions.schema())

    def _read(self, names: EntityNames, columns: Sequence[str], wanted: ds.Expression | None) -> pa.Table:
        """Rows of named entities in the order of their numbers: NUMBER, ``whose`` and these columns."""
        asked = {NUMBER: ds.field(NUMBER), _WHOSE: names.source, **{name: ds.field(name) for name in columns}}
        rows = self._predictions.dataset().to_table(columns=asked, filter=wanted)
        whose = names.of(rows[_WHOSE])
        rows = rows.set_column(1, _WHOSE, whose).filter(pc.greater(pc.utf8_length(whose), 0))
        return rows.sort_by(NUMBER)

    def _of(self, names: EntityNames, name: str, columns: Sequence[str], wanted: ds.Expression | None) -> pa.Table:
        likely = names.likely(name)
        rows = self._read(names, columns, likely if wanted is None else likely & wanted)
        return rows.filter(pc.equal(rows[_WHOSE], name))

    def _deeper(self, names: EntityNames, unsure: Sequence[str], rule: FlagRule) -> Mapping[str, bool]:
        """Whether the alarm of each of these stands, by all that was ever recorded of them."""
        asked = {NUMBER: ds.field(NUMBER), _WHOSE: names.source, "decision": ds.field("decision")}
        some = []
        for batch in self._predictions.dataset().to_batches(columns=asked):
            rows = pa.Table.from_batches([batch])
            rows = rows.set_column(1, _WHOSE, names.of(rows[_WHOSE]))
            some.append(rows.filter(pc.is_in(rows[_WHOSE], pa.array(unsure, pa.string()))))
        run, rows = _by_run(pa.concat_tables(some).sort_by(NUMBER))
        stands = standing(run, rows["decision"].to_numpy(), rule.flags, rule.of, whole=True)
        return dict(zip(rows[_WHOSE].to_pylist(), (stands == 1).tolist(), strict=True))

    def _alarm(self, outlet: str, rule: FlagRule, flags: pa.Table) -> EntityAlarm:
        run = np.zeros(flags.num_rows, dtype=np.int64)
        stands = standing(run, flags["decision"].to_numpy(), rule.flags, rule.of, whole=True)
        turns = changed(run, stands)
        said = np.where(stands[turns] == 1, "raised", "cleared").tolist()
        changes = flags.filter(pa.array(turns)).select(["at", "prediction_id"])
        changes = changes.append_column("alarm", pa.array(said, pa.string()))
        return EntityAlarm(outlet, bool(stands[-1]), self._shown(changes))

    def _labelled(self, rows: pa.Table) -> pa.Table:
        """With the label of each prediction that was told last, and when."""
        told: dict[str, tuple[object, object]] = {}
        kind = pa.string()
        if self._labels.exists():
            ids = pc.field("prediction_id").isin(rows["prediction_id"].combine_chunks())
            labels = self._labels.dataset().to_table(filter=ids).sort_by("at")
            kind = labels.schema.field("label").type
            values = (labels[name].to_pylist() for name in ("prediction_id", "label", "at"))
            told = {key: (label, at) for key, label, at in zip(*values, strict=True)}
        found = [told.get(key, (None, None)) for key in rows["prediction_id"].to_pylist()]
        rows = rows.append_column("label", pa.array([label for label, _ in found], kind))
        return rows.append_column("labelled_at", pa.array([at for _, at in found], pa.timestamp("us", tz="UTC")))

    def _shown(self, rows: pa.Table) -> pa.Table:
        """Those that are not too old to be shown."""
        if self._view.days is None:
            return rows
        return rows.filter(pc.greater_equal(rows["at"], datetime.now(UTC) - timedelta(days=self._view.days)))

    def _worst_first(self, rows: pa.Table) -> pa.Table:
        keys = {
            "alarmed": pc.list_value_length(rows["alarms"]),
            "worst": pc.negate(rows["score"]) if self._view.worst_low else rows["score"],
        }
        order = pc.sort_indices(
            pa.table({**keys, "entity": rows["entity"]}),
            sort_keys=[("alarmed", "descending"), ("worst", "descending"), ("entity", "ascending")],
        )
        return rows.take(order)


def _by_run(rows: pa.Table) -> tuple[NDArray[np.int64], pa.Table]:
    """The same rows, those of one entity together and in their order, and whose each is, [n]."""
    codes = rows[_WHOSE].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    order = np.argsort(codes, kind="stable")
    return codes[order], rows.take(order)


def _nothing(name: str) -> NotFound:
    if name:
        return NotFound(
            "entity_unknown", f"nothing is recorded of {name[:80]}", hint="`drivetrain entities` lists those there are"
        )
    return NotFound("no_prediction", "nothing was predicted yet", hint="POST /v1/predict makes the first one")
