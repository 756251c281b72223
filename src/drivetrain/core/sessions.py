"""ONNX graphs ready to run: one thread each, so that a server decides how many of them run."""

from __future__ import annotations

import onnxruntime as ort

from drivetrain.core.errors import InvalidInput

_STATE = ort.capi.onnxruntime_pybind11_state
GRAPH_ERRORS: tuple[type[Exception], ...] = (
    _STATE.Fail,
    _STATE.InvalidProtobuf,
    _STATE.InvalidGraph,
    _STATE.InvalidArgument,
    _STATE.NotImplemented,
    _STATE.RuntimeException,
)
"""What ONNX Runtime raises; they have no family of their own."""


def open_session(graph: bytes, where: str) -> ort.InferenceSession:
    """The graph, loaded. Raises InvalidInput, naming the file ``where``, when it cannot be."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except GRAPH_ERRORS as error:
        raise InvalidInput("graph_unreadable", f"the model graph does not load: {error}", where=where) from error
