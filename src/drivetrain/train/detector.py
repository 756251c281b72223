"""What a detector is: a named way to learn from rows alone what is usual, and an exact export.

A plugin registers a class without arguments under the entry-point group ``drivetrain.detectors`` and holds itself
against ``drivetrain.testing.detectors``.
"""

from __future__ import annotations

from typing import Protocol

from drivetrain.ops.metrics import Numbers
from drivetrain.train.learner import Fields, Fitted, Params


class Detector(Protocol):
    """One way. Stateless; the same arguments give the same fitted bytes, whatever the number of cores."""

    def parameters(self) -> tuple[str, ...]:
        """The parameters that a person may fix."""
        ...

    def fit(self, x: Numbers, fields: Fields, params: Params, *, seed: int) -> Fitted:
        """Learn from packed rows [n, F], with missing values (NaN) and unknown categories (-1) in every column.

        The margin of what is fitted is oddness, finite for every row: the higher, the less usual. Empty params are the
        defaults.
        """
        ...
