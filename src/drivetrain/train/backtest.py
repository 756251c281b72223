"""Rolling origins: the newest moments of the training part, each estimated by a model that saw only what came before.

The folds of the search look back and forward (``blocks``): they judge every row, and so choose the model. How far a
number is off that is said of what comes is seen here (Tashman 2000).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.metrics import Numbers
from drivetrain.train.learner import Sample
from drivetrain.train.material import Material
from drivetrain.train.trained import Trained


def backtest(material: Material, origins: int, refit: Callable[[Sample], Trained], pool: ThreadPoolExecutor) -> Numbers:
    """The rows of the newest ``origins`` moments of the training part, by their places, and the answer to each: [m, 2].

    ``refit`` makes the model of the rows before. Raises InvalidInput where no split says what a moment is, and where
    none lies before the first origin.
    """
    sample = material.sample
    blocks = sample.blocks if sample.blocks is not None and material.in_order else np.empty(0, dtype=np.int64)
    moments = np.unique(blocks)
    if len(moments) <= origins:
        raise InvalidInput(
            "origins_too_many",
            f"{origins} origins need more moments than that to learn from, and the training part has {len(moments)}",
            where="model.origins",
            hint="split by time with a `column` that holds the day a row was made, bring more history, or ask for less",
        )

    def roll(moment: int) -> Numbers:
        held, before = np.flatnonzero(blocks == moment), np.flatnonzero(blocks < moment)
        return np.column_stack([held, refit(sample.take(before)).answer(sample.x[held])])

    return np.concatenate(list(pool.map(roll, moments[-origins:].tolist())))
