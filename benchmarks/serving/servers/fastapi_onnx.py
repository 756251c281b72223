"""FastAPI + onnxruntime."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
from fastapi import FastAPI
from pydantic import create_model

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(Path(os.environ["MODEL_FOLDER"]) / "model.onnx", options)
Row = create_model("Row", **{f"c{number}": (float | None, None) for number in range(24)})
app = FastAPI()


@app.post("/predict")
async def predict(rows: list[Row]) -> list[float]:
    packed = np.array([list(row.__dict__.values()) for row in rows], dtype=np.float64)
    (scores,) = session.run(["score"], {"row": packed})
    return scores.tolist()
