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
    ``blocks`` [n] say which rows stay together in folds, if any do.
    """

    entity: pa.ChunkedArray
    inputs: pa.Table
    label: Truth
    kept: pa.Table | None = None
    blocks: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    def cut(self, start: int, end: int | None = None) -> Cases:
        """Some neighbouring ones, to be sent: without what is kept for folds and for people."""
        rows = slice(start, end)
        return Cases(self.entity[rows], self.inputs[rows], self.label[rows], classes=self.classes)


def read_cases(catalog: Catalog, features: Features, part: Part) -> Cases:
    """The cases of one part of a feature table version."""
    table = Table(catalog.table_path("features", features.name))
    rows = table.dataset(features.version).to_table(filter=ds.field(SPLIT) == part)
    blocks = None if features.blocks == "none" else np.asarray(rows.column(BLOCK).to_numpy(), dtype=np.int64)
    return Cases(
        entity=rows.column(features.entity),
        inputs=rows.select(list(features.inputs.names)),
        label=truth_of(features.task, features.classes, rows.column(features.label)),
        kept=rows.select(list(features.kept)),
        blocks=blocks,
        classes=features.classes,
    )
