"""BentoML with the pipeline: save it into BentoML's model store, then `bentoml serve`."""

import sys
from pathlib import Path

import bentoml
import joblib
import numpy as np
import pandas as pd


@bentoml.service(workers=1)
class Predict:
    model = bentoml.models.BentoModel("bench:latest")

    def __init__(self) -> None:
        self.pipeline = bentoml.sklearn.load_model(self.model)

    @bentoml.api
    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return self.pipeline.predict_proba(rows)[:, 1]


if __name__ == "__main__":
    bentoml.sklearn.save_model("bench", joblib.load(Path(sys.argv[1]) / "pipeline.joblib"))
