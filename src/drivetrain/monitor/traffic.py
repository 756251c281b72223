"""What a service answered: predictions of one release from the lake, with the labels that came later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from drivetrain.core.artifacts import Deployment, Release
from drivetrain.core.model import OutputField, Signature
from drivetrain.ops.packing import pack
from drivetrain.store.catalog import Catalog
from drivetrain.store.labels import told
from drivetrain.store.tables import Table, arrow_type

PERIOD_ROWS = 100_000
"""How far back a report looks: at most this many of the newest predictions."""
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Traffic:
    """Predictions, oldest first, n of each: when (UTC), packed inputs [n, F], score, decision, outputs [n, E], label.

    ``outputs`` are those of the signature, a class by its index. ``label`` is 1 or 0, the index of a class (-1 for one
    that the model does not know) or a number, and NaN where none has arrived.
    """

    at: NDArray[np.datetime64]
    inputs: NDArray[np.float64]
    score: NDArray[np.float64]
    decision: NDArray[np.bool_]
    outputs: NDArray[np.float64]
    label: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.score)

    def newest(self, rows: int) -> Traffic:
        """The newest ``rows`` of them."""
        return self.part(slice(max(0, len(self) - rows), None))

    def labelled(self) -> Traffic:
        """Those whose label has arrived."""
        return self.part(~np.isnan(self.label))

    def part(self, rows: slice | NDArray[np.bool_]) -> Traffic:
        """Some of them, in the same order."""
        return Traffic(
            self.at[rows], self.inputs[rows], self.score[rows], self.decision[rows], self.outputs[rows],
            self.label[rows],
        )  # fmt: skip


def read_traffic(
    catalog: Catalog, service: str, deployment: Deployment, release: Release, signature: Signature
) -> Traffic:
    """The newest predictions of a release since its deployment started, at most ``PERIOD_ROWS``."""
    table = Table(catalog.table_path("predictions", service))
    if not table.exists():
        return _no_traffic(signature)
    start = pa.scalar(datetime.fromisoformat(deployment.at), _TIME)
    served = (ds.field("release") == str(release.ref)) & (ds.field("at") >= start)
    oldest = _oldest_wanted(table.dataset(), served)
    if oldest is None:
        return _no_traffic(signature)
    # where nothing of this release is in the lake yet, it may lack a column for what it says
    outputs = [field.name for field in signature.outputs if field.name in table.dataset().schema.names]
    columns = ["prediction_id", "at", "score", "decision", *outputs, "inputs"]
    rows = table.dataset().to_table(columns=columns, filter=served & (ds.field("at") >= oldest))
    order = pc.sort_indices(rows.select(["at", "prediction_id"]), [("at", "ascending"), ("prediction_id", "ascending")])
    rows = rows.take(order[-PERIOD_ROWS:])
    return _as_traffic(rows, signature, _labels(catalog, service, rows["prediction_id"], signature))


def _oldest_wanted(dataset: ds.Dataset, served: ds.Expression) -> pa.Scalar | None:
    """When the oldest of the ``PERIOD_ROWS`` newest predictions was made, in bounded memory; None without any."""
    newest = np.empty(0, dtype="datetime64[us]")
    for batch in dataset.scanner(columns=["at"], filter=served).to_batches():
        newest = np.concatenate([newest, _times(batch.column("at"))])
        if len(newest) > PERIOD_ROWS:
            newest = np.partition(newest, len(newest) - PERIOD_ROWS)[-PERIOD_ROWS:]
    return pa.scalar(newest.min(), pa.timestamp("us")).cast(_TIME) if len(newest) else None


def _labels(catalog: Catalog, service: str, ids: pa.ChunkedArray, signature: Signature) -> dict[str, float]:
    """The labels of these predictions; where one was corrected, the last word counts."""
    table = Table(catalog.table_path("labels", service))
    if not table.exists():
        return {}
    of_these = ds.field("prediction_id").isin(ids.combine_chunks())
    rows = table.dataset().to_table(columns=["prediction_id", "label", "at"], filter=of_these).sort_by("at")
    labels = told(signature.task, signature.classes, rows["label"])
    return dict(zip(rows["prediction_id"].to_pylist(), labels.tolist(), strict=True))


def _as_traffic(rows: pa.Table, signature: Signature, labels: dict[str, float]) -> Traffic:
    inputs = rows["inputs"].combine_chunks()
    # The lake widens the type of an input when a later release changes it; this release knows its own.
    typed = {field.name: pc.struct_field(inputs, field.name).cast(arrow_type(field.type)) for field in signature.inputs}
    return Traffic(
        at=_times(rows["at"]),
        inputs=pack(signature, pa.table(typed)),
        score=rows["score"].to_numpy(),
        decision=np.asarray(rows["decision"].to_numpy(), dtype=np.bool_),
        outputs=_outputs(rows, signature.outputs),
        label=np.array([labels.get(name, np.nan) for name in rows["prediction_id"].to_pylist()], dtype=np.float64),
    )


def _outputs(rows: pa.Table, fields: tuple[OutputField, ...]) -> NDArray[np.float64]:
    """What was said beside score and decision [n, E]; a text by its index."""
    packed = [_output(rows, field) for field in fields]
    return np.array(packed, dtype=np.float64).reshape(len(fields), len(rows)).T


def _output(rows: pa.Table, field: OutputField) -> NDArray[np.float64]:
    if field.name not in rows.column_names:
        return np.full(len(rows), np.nan)
    column = rows[field.name]
    codes = pc.index_in(column, pa.array(field.categories, pa.string())) if field.categories else column
    return np.asarray(codes.cast(pa.float64()).to_numpy(zero_copy_only=False))


def _times(column: pa.Array | pa.ChunkedArray) -> NDArray[np.datetime64]:
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False)).astype("datetime64[us]")


def _no_traffic(signature: Signature) -> Traffic:
    none = np.empty(0)
    inputs, outputs = (np.empty((0, len(fields))) for fields in (signature.inputs, signature.outputs))
    return Traffic(none.astype("datetime64[us]"), inputs, none, none.astype(bool), outputs, none)
