"""MLflow with the pipeline: save it with its signature, then `mlflow models serve`."""

import sys
from pathlib import Path

import joblib
import mlflow
import pandas as pd
from mlflow.models import infer_signature

folder = Path(sys.argv[1])
pipeline = joblib.load(folder / "pipeline.joblib")
rows = pd.DataFrame(0.0, index=[0], columns=pipeline.feature_names_in_)
mlflow.sklearn.save_model(
    pipeline,
    folder / "mlflow-sklearn",
    signature=infer_signature(rows, pipeline.predict_proba(rows)),
    pyfunc_predict_fn="predict_proba",
    skops_trusted_types=["numpy.dtype", "xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"],
    pip_requirements=[],
)
