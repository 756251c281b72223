"""granian (RSGI) + msgspec + onnxruntime by hand: one row a call; no key, no limits, no record."""

import os
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(Path(os.environ["MODEL_FOLDER"]) / "model.onnx", options)
Row = msgspec.defstruct("Row", [(f"c{number}", float | None, None) for number in range(24)])
decoder = msgspec.json.Decoder(msgspec.defstruct("Request", [("rows", list[Row])]))
HEADERS = [("content-type", "application/json")]


async def app(scope: object, transport: object) -> None:
    body = await transport()
    rows = [msgspec.structs.astuple(row) for row in decoder.decode(body).rows]
    (scores,) = session.run(["score"], {"row": np.array(rows, dtype=np.float64)})
    predictions = [{"score": score, "decision": score >= 0.5} for score in scores.tolist()]
    transport.response_bytes(200, HEADERS, msgspec.json.encode({"predictions": predictions}))
