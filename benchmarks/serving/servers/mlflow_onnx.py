"""MLflow with the ONNX graph: its own flavour for it, then `mlflow models serve`."""

import sys
from pathlib import Path

import mlflow
import onnx
import pandas as pd
from mlflow.models import infer_signature

folder = Path(sys.argv[1])
rows = pd.DataFrame(0.0, index=[0], columns=[f"c{number}" for number in range(24)])
mlflow.onnx.save_model(
    onnx.load(folder / "model.onnx"),
    folder / "mlflow-onnx",
    signature=infer_signature(rows),
    pip_requirements=[],
)
