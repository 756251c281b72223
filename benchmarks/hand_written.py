"""What an engineer writes without Drivetrain, for ``end_to_end.py``: one script, one pickle, no proof."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import loguniform, randint
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from sklearn.model_selection import ParameterSampler, StratifiedKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

LEARNERS = (
    (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), LogisticRegression(max_iter=1000)),
     {"logisticregression__C": loguniform(1e-3, 1e2)}),
    (make_pipeline(SimpleImputer(), RandomForestClassifier(n_estimators=200, n_jobs=2, random_state=0)),
     {"randomforestclassifier__min_samples_leaf": randint(5, 100)}),
    (HistGradientBoostingClassifier(random_state=0),
     {"learning_rate": loguniform(0.02, 0.3), "max_leaf_nodes": randint(8, 64)}),
    (XGBClassifier(n_estimators=300, n_jobs=2, random_state=0),
     {"learning_rate": loguniform(0.02, 0.3), "max_depth": randint(3, 8)}),
)  # fmt: skip


def main(data: Path, folder: Path, trials: int) -> None:
    """Load, check, split, search, fit, calibrate, measure, store."""
    loans = pd.read_csv(data)
    good = loans[loans["id"].notna() & ~loans["id"].duplicated() & loans["age"].between(18, 120)].sort_values("id")
    label = good["SeriousDlqin2yrs"].to_numpy()
    inputs = good.drop(columns=["id", "SeriousDlqin2yrs"])
    train_x, test_x, train_y, test_y = train_test_split(inputs, label, test_size=0.2, stratify=label, random_state=0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    best, best_score = None, 0.0
    for number in range(trials):
        learner, space = LEARNERS[number % len(LEARNERS)]
        learner.set_params(**next(iter(ParameterSampler(space, 1, random_state=number))))
        score = cross_val_score(learner, train_x, train_y, cv=folds, scoring="roc_auc").mean()
        if score > best_score:
            best, best_score = learner, score
    model = CalibratedClassifierCV(best, method="sigmoid", cv=folds).fit(train_x, train_y)
    scores = model.predict_proba(test_x)[:, 1]
    rounds = np.random.default_rng(0).integers(0, len(test_y), (300, len(test_y)))
    for metric in (roc_auc_score, average_precision_score, log_loss):
        np.percentile([metric(test_y[rows], scores[rows]) for rows in rounds], [2.5, 97.5])
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    print(roc_auc_score(test_y, scores))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
