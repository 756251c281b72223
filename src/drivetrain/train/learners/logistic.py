"""Logistic regression on imputed, scaled, one-hot encoded columns; optionally piecewise linear in each of them."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import optuna
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from drivetrain.core.task import Task
from drivetrain.train.learner import Fields, Fitted, Params, Sample
from drivetrain.train.learners.encoding import FittedLinear, encode


class Logistic:
    """scikit-learn's LogisticRegression; ``knots`` of our own is explained in ``encoding.encode``."""

    tasks = frozenset({Task.YES_NO, Task.CLASSES})
    any_classes = False
    start: ClassVar[Params] = {"C": 0.3, "knots": 16}

    def parameters(self) -> tuple[str, ...]:
        """Parameters of the library's class that a person may fix, and ``knots``."""
        return ("knots", *sorted(set(LogisticRegression().get_params()) - {"n_jobs", "random_state", "verbose"}))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Strength of the penalty and number of knots."""
        return {
            "C": trial.suggest_float("C", 1e-3, 1e2, log=True),
            "knots": trial.suggest_categorical("knots", [0, 8, 16, 32]),
            "max_iter": 300,
        }

    def settled(self, params: Params, rounds: int) -> Params:
        """The same; there are no rounds."""
        return params

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Fit the encoding and the coefficients."""
        rest = dict(params)
        encoding = encode(sample.x, fields, int(rest.pop("knots", 0) or 0))
        model = LogisticRegression(random_state=seed, **rest)
        with warnings.catch_warnings():  # a fit that ran out of steps is judged by its score like any other
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(encoding.apply(sample.x), sample.y)
        return FittedLinear(encoding, model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64))
