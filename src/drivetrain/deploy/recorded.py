"""What a service answered lately, read from the lake in blocks, so that a million rows take no more memory than few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from drivetrain.core.model import CLASS
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

BLOCK = 16_384
"""Rows that are read and scored together."""

_TIME = pa.timestamp("us", tz="UTC")
_COLUMNS = ["prediction_id", "at", "release", "score", "decision", "inputs"]
_NARROW = {"batch_size": BLOCK, "batch_readahead": 1, "fragment_readahead": 1}


@dataclass(frozen=True)
class Block:
    """Some recorded predictions, n of them: inputs as a struct array, and what was answered by which release.

    ``said`` [n] is the class that was said, None where none was. ``label`` [n] is 1 or 0, or a number where that is
    what is answered, and NaN where no outcome is known.
    """

    at: NDArray[np.datetime64]
    release: NDArray[np.object_]
    score: NDArray[np.float64]
    decision: NDArray[np.bool_]
    said: NDArray[np.object_]
    inputs: pa.StructArray
    label: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.score)

    def part(self, rows: NDArray[np.bool_]) -> Block:
        """Some of them."""
        return Block(
            self.at[rows], self.release[rows], self.score[rows], self.decision[rows], self.said[rows],
            self.inputs.filter(pa.array(rows)), self.label[rows],
        )  # fmt: skip


class Recorded:
    """The newest ``rows`` predictions of a service, as the lake has them now; ``count`` says how many there are."""

    def __init__(self, catalog: Catalog, service: str, rows: int) -> None:
        predictions, labels = (Table(catalog.table_path(kind, service)) for kind in ("predictions", "labels"))
        self._labels = labels.dataset() if labels.exists() else None
        self._predictions = predictions.dataset() if predictions.exists() else None
        newest = _newest(self._predictions, rows) if self._predictions is not None else _no_times()
        self.count = len(newest)
        self._oldest = newest.min() if self.count else None
        self._of_oldest = int((newest == self._oldest).sum())

    def blocks(self) -> Iterator[Block]:
        """All of them, in the order in which they lie in the lake."""
        if self._predictions is None or self._oldest is None:
            return
        wanted = ds.field("at") >= _scalar(self._oldest)
        still_of_oldest = self._of_oldest
        classes = [CLASS] if CLASS in self._predictions.schema.names else []
        for batch in self._predictions.scanner(columns=[*_COLUMNS, *classes], filter=wanted, **_NARROW).to_batches():
            oldest = np.flatnonzero(_times(batch.column("at")) == self._oldest)
            surplus = oldest[still_of_oldest:]  # predictions of one moment, of which not all are among the newest
            still_of_oldest -= len(oldest) - len(surplus)
            kept = batch.take(pa.array(np.setdiff1d(np.arange(len(batch)), surplus))) if len(surplus) else batch
            if len(kept):
                yield self._block(kept)

    def _block(self, batch: pa.RecordBatch) -> Block:
        return Block(
            at=_times(batch.column("at")),
            release=batch.column("release").to_numpy(zero_copy_only=False),
            score=batch.column("score").to_numpy(zero_copy_only=False),
            decision=np.asarray(batch.column("decision").to_numpy(zero_copy_only=False), dtype=np.bool_),
            said=self._said(batch),
            inputs=batch.column("inputs"),
            label=self._label(batch.column("prediction_id")),
        )

    @staticmethod
    def _said(batch: pa.RecordBatch) -> NDArray[np.object_]:
        if CLASS not in batch.schema.names:
            return np.full(len(batch), None, dtype=np.object_)
        return np.asarray(batch.column(CLASS).to_numpy(zero_copy_only=False), dtype=np.object_)

    def _label(self, ids: pa.StringArray) -> NDArray[np.float64]:
        """The outcomes of these predictions; where one was corrected, the last word counts."""
        found = np.full(len(ids), np.nan)
        if self._labels is None:
            return found
        of_these = ds.field("prediction_id").isin(ids) & (ds.field("at") >= _scalar(self._oldest))
        scanned = self._labels.scanner(columns=["prediction_id", "label", "at"], filter=of_these, **_NARROW)
        rows = scanned.to_table().sort_by("at")
        found[pc.index_in(rows["prediction_id"], value_set=ids).to_numpy()] = _numbers(rows["label"])
        return found


def _numbers(labels: pa.ChunkedArray) -> NDArray[np.float64]:
    """Labels [n] as numbers. Of texts only true and false are ones: a class proves no probability, it is NaN."""
    if pa.types.is_string(labels.type):
        labels = pc.index_in(labels, pa.array(["false", "true"]))
    return np.asarray(labels.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _newest(predictions: ds.Dataset, rows: int) -> NDArray[np.datetime64]:
    """When the newest ``rows`` predictions were made, in no order."""
    newest = _no_times()
    for batch in predictions.scanner(columns=["at"], **_NARROW).to_batches():
        newest = np.concatenate([newest, _times(batch.column("at"))])
        if len(newest) > rows:
            newest = np.partition(newest, len(newest) - rows)[len(newest) - rows :]
    return newest


def _times(column: pa.Array) -> NDArray[np.datetime64]:
    return np.asarray(column.cast(pa.int64()).to_numpy(zero_copy_only=False)).astype("datetime64[us]")


def _scalar(moment: np.datetime64 | None) -> pa.Scalar:
    return pa.scalar(moment, pa.timestamp("us")).cast(_TIME)


def _no_times() -> NDArray[np.datetime64]:
    return np.empty(0, dtype="datetime64[us]")
