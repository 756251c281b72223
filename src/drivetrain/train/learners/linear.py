"""Linear regression with a penalty on imputed, scaled, one-hot encoded columns; optionally piecewise linear."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import optuna
from sklearn.linear_model import Ridge

from drivetrain.core.task import Task
from drivetrain.train.learner import Fields, Fitted, Params, Sample
from drivetrain.train.learners.encoding import FittedLinear, encode


class Linear:
    """scikit-learn's Ridge; ``knots`` of our own is explained in ``encoding.encode``."""

    tasks = frozenset({Task.NUMBER})
    any_classes = False
    start: ClassVar[Params] = {"alpha": 3.0, "knots": 16}

    def parameters(self) -> tuple[str, ...]:
        """Parameters of the library's class that a person may fix, and ``knots``."""
        return ("knots", *sorted(set(Ridge().get_params()) - {"copy_X", "random_state"}))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Params:
        """Strength of the penalty and number of knots."""
        return {
            "alpha": trial.suggest_float("alpha", 1e-2, 1e3, log=True),
            "knots": trial.suggest_categorical("knots", [0, 8, 16, 32]),
        }

    def settled(self, params: Params, rounds: int) -> Params:
        """The same; there are no rounds."""
        return params

    def fit(self, sample: Sample, fields: Fields, params: Params, *, seed: int, stop: Sample | None = None) -> Fitted:
        """Fit the encoding and the coefficients."""
        rest = dict(params)
        encoding = encode(sample.x, fields, int(rest.pop("knots", 0) or 0))
        model = Ridge(random_state=seed, **rest).fit(encoding.apply(sample.x), sample.y)
        weights = np.asarray(model.coef_, dtype=np.float64)[:, None]
        return FittedLinear(encoding, weights, np.atleast_1d(np.asarray(model.intercept_, dtype=np.float64)))
