"""What a model takes, learned from the training part alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.artifacts import Features
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import Distribution, InputField, Signature
from drivetrain.core.schema import Column, ColumnType
from drivetrain.ops.drift import code_cuts, cut_points, distribution
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.packing import UNKNOWN, pack
from drivetrain.store.cases import Cases

MOST_CATEGORIES = 256
"""Rarer texts than these share the code of unknown text."""


def signature_of(features: Features, train: Cases) -> Signature:
    """The input fields: categories by falling count, then range and typical value of what is packed."""
    columns = [column for column in features.inputs.columns if column.name not in features.texts]
    bare = tuple(_bare(column, train.inputs.column(column.name)) for column in columns)
    signature = Signature(bare, features.entity, features.label, features.task, features.classes)
    packed = pack(signature, train.inputs)
    _refuse_infinite(bare, packed)
    fields = tuple(_measured(field, packed[:, position]) for position, field in enumerate(bare))
    return replace(signature, inputs=fields, windows=features.windows, blind=features.blind)


def input_spread(field: InputField, values: Numbers) -> Distribution:
    """How the packed values [n] of one input are spread, as later traffic will be held against it."""
    cuts = code_cuts(len(field.categories)) if field.type is ColumnType.TEXT else cut_points(values)
    return distribution(field.name, values, cuts)


def _bare(column: Column, values: pa.ChunkedArray) -> InputField:
    categories = _categories(values) if column.type is ColumnType.TEXT else ()
    return InputField(column.name, column.type, column.nullable, categories)


def _categories(values: pa.ChunkedArray) -> tuple[str, ...]:
    counted = pc.value_counts(values.cast(pa.string()).drop_null())
    pairs = zip(counted.field("counts").to_pylist(), counted.field("values").to_pylist(), strict=True)
    by_count = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))
    return tuple(text for _, text in by_count[:MOST_CATEGORIES])


def _measured(field: InputField, values: Numbers) -> InputField:
    known = values[~np.isnan(values)]
    if field.type is ColumnType.TEXT:
        return InputField(field.name, field.type, field.nullable, field.categories, typical=_commonest(known, UNKNOWN))
    if known.size == 0:
        return field
    counted = field.type is ColumnType.BOOLEAN
    # An order statistic, not the mean of two: a typical value is one that occurs.
    typical = _commonest(known, 0.0) if counted else float(np.quantile(known, 0.5, method="lower"))
    low, high = float(known.min()), float(known.max())
    return InputField(field.name, field.type, field.nullable, (), low=low, high=high, typical=typical)


def _commonest(known: Numbers, otherwise: float) -> float:
    if known.size == 0:
        return otherwise
    values, counts = np.unique(known, return_counts=True)
    return float(values[counts.argmax()])


def _refuse_infinite(fields: tuple[InputField, ...], packed: Numbers) -> None:
    names = [fields[position].name for position in np.flatnonzero(np.isinf(packed).any(axis=0))]
    if names:
        raise InvalidInput(
            "values_infinite",
            f"infinite values in {examples(names)}",
            where="features",
            hint="divide by nullif(..., 0) in the feature SQL, then `drivetrain prepare`",
        )
