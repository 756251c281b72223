"""BentoML with the ONNX graph: save it into BentoML's model store, then `bentoml serve`."""

import sys
from pathlib import Path

import bentoml
import numpy as np
import onnx
import onnxruntime
import pandas as pd


@bentoml.service(workers=1)
class Predict:
    model = bentoml.models.BentoModel("bench-onnx:latest")

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.model.path_of("saved_model.onnx"), options)

    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return self.session.run(["score"], {"row": rows.to_numpy(np.float64)})[0]


if __name__ == "__main__":
    bentoml.onnx.save_model("bench-onnx", onnx.load(Path(sys.argv[1]) / "model.onnx"))
