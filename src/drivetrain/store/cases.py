"""Reading a feature table back as the cases that a model learns from or is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from drivetrain.core.artifacts import Features
from drivetrain.store.catalog import Catalog
from drivetrain.store.labels import Truth, truth_of
from drivetrain.store.tables import Table

SPLIT = "split"
BLOCK = "_block"
"""Which rows stay together in folds, as whole numbers."""
Part = Literal["train", "test"]


@dataclass(frozen=True)
class Cases:
    """The rows of one part, in table order: entity, inputs (one column each) and label ([n], as the task has it).

    ``classes`` are the names of a label that is the index of a class, ``kept`` the columns that no model sees;
    ``blocks`` [n] say which rows stay together in folds, if any do; ``known`` [n] which rows have a label, where some
    have none: theirs means nothing.
    """

    entity: pa.ChunkedArray
    inputs: pa.Table
    label: Truth
    kept: pa.Table | None = None
    blocks: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    known: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.label)

    def labelled(self) -> Cases:
        """Those that have a label."""
        if self.known is None:
            return self
        rows, kept = pa.array(self.known), None if self.kept is None else self.kept.filter(pa.array(self.known))
        blocks = None if self.blocks is None else self.blocks[self.known]
        return Cases(
            self.entity.filter(rows), self.inputs.filter(rows), self.label[self.known], kept, blocks, self.classes
        )

    def take(self, rows: NDArray[np.int64]) -> Cases:
        """Some of them, to be sent: without what is kept for folds and for people."""
        known, places = None if self.known is None else self.known[rows], pa.array(rows)
        entity, inputs = self.entity.take(places), self.inputs.take(places)
        return Cases(entity, inputs, self.label[rows], classes=self.classes, known=known)

    def some(self, rows: int) -> Cases:
        """As many by lot, always the same, in their order; the first ones would be those of a few entities."""
        return self.take(np.sort(np.random.default_rng(0).permutation(len(self))[:rows]))


def read_cases(catalog: Catalog, features: Features, part: Part) -> Cases:
    """The cases of one part of a feature table version."""
    table = Table(catalog.table_path("features", features.name))
    rows = table.dataset(features.version).to_table(filter=ds.field(SPLIT) == part)
    label = rows.column(features.label)
    return Cases(
        entity=rows.column(features.entity),
        inputs=rows.select(list(features.inputs.names)),
        label=truth_of(features.task, features.classes, label),
        kept=rows.select(list(features.kept)),
        blocks=_blocks(features, rows),
        classes=features.classes,
        known=np.asarray(label.is_valid().to_numpy(), dtype=np.bool_) if label.null_count else None,
    )


def read_unlabelled(catalog: Catalog, features: Features, part: Part) -> Cases:
    """The same without what is kept, and with no label: that column is not even read, and all are false."""
    dataset = Table(catalog.table_path("features", features.name)).dataset(features.version)
    columns = [features.entity, *features.inputs.names, *([] if features.blocks == "none" else [BLOCK])]
    rows = dataset.to_table(columns=columns, filter=ds.field(SPLIT) == part)
    inputs, label = rows.select(list(features.inputs.names)), np.zeros(len(rows), dtype=np.bool_)
    return Cases(rows.column(features.entity), inputs, label, blocks=_blocks(features, rows))


def _blocks(features: Features, rows: pa.Table) -> NDArray[np.int64] | None:
    return None if features.blocks == "none" else np.asarray(rows.column(BLOCK).to_numpy(), dtype=np.int64)
