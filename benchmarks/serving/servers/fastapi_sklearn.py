"""FastAPI + pandas + scikit-learn, as users write it."""

import os
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

pipeline = joblib.load(Path(os.environ["MODEL_FOLDER"]) / "pipeline.joblib")
Row = create_model("Row", **dict.fromkeys(pipeline.feature_names_in_, (float | None, None)))
app = FastAPI()


@app.post("/predict")
def predict(rows: list[Row]) -> list[float]:
    frame = pd.DataFrame([row.model_dump() for row in rows], dtype=float)
    return pipeline.predict_proba(frame)[:, 1].tolist()
