"""scikit-learn's SimpleImputer as ONNX nodes in doubles; ONNX Runtime's own Imputer knows float32 only."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from skl2onnx.common._container import ModelComponentContainer
from skl2onnx.common._topology import Operator, Scope
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.impute import SimpleImputer


def imputer_shape(operator: Operator) -> None:
    """Tells skl2onnx what comes out: the columns that have a statistic, then the flags of missing values."""
    imputer: SimpleImputer = operator.raw_operator
    flags = len(imputer.indicator_.features_) if imputer.add_indicator else 0
    operator.outputs[0].type = DoubleTensorType([None, len(_kept(imputer)) + flags])


def convert_imputer(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
    """Adds the nodes. Raises NotImplementedError when anything but NaN counts as missing."""
    imputer: SimpleImputer = operator.raw_operator
    if not (isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)):
        raise NotImplementedError("SimpleImputer with missing_values other than NaN")
    source = operator.inputs[0].full_name
    names = {part: scope.get_unique_variable_name(part) for part in _PARTS}
    kept = _kept(imputer)
    container.add_initializer(names["kept"], TensorProto.INT64, [len(kept)], kept)
    container.add_initializer(names["values"], TensorProto.DOUBLE, [len(kept)], imputer.statistics_[kept].tolist())
    _add(container, "Gather", [source, names["kept"]], names["columns"], axis=1)
    _add(container, "IsNaN", [names["columns"]], names["missing"])
    filled = names["filled"] if imputer.add_indicator else operator.outputs[0].full_name
    _add(container, "Where", [names["missing"], names["values"], names["columns"]], filled)
    if imputer.add_indicator:
        flagged = [int(column) for column in imputer.indicator_.features_]
        container.add_initializer(names["flagged"], TensorProto.INT64, [len(flagged)], flagged)
        _add(container, "Gather", [source, names["flagged"]], names["watched"], axis=1)
        _add(container, "IsNaN", [names["watched"]], names["absent"])
        _add(container, "Cast", [names["absent"]], names["flags"], to=TensorProto.DOUBLE)
        _add(container, "Concat", [filled, names["flags"]], operator.outputs[0].full_name, axis=1)


_PARTS = ("kept", "values", "columns", "missing", "filled", "flagged", "watched", "absent", "flags")


def _kept(imputer: SimpleImputer) -> list[int]:
    """The columns that come out: those without a single value are dropped unless they are asked for."""
    return [int(column) for column in np.flatnonzero(~np.isnan(imputer.statistics_.astype(np.float64)))]


def _add(container: ModelComponentContainer, kind: str, inputs: list[str], output: str, **settings: int) -> None:
    container.add_node(kind, inputs, output, op_version=13, **settings)
