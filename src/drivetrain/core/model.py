"""What travels inside a Model as data, so that training and serving never meet: ``train`` writes it, others read it.

The files of a model folder:

- ``model.onnx``: one input ``row`` (float64 [n, F], columns in signature order), one output ``score`` (float [n], the
  calibrated probability that the target is true); or, for a model that is a person's code, ``entry.json`` (the function
  and its limits) and ``code/`` (its files);
- ``expected.npy`` (float64): what the trained pipeline itself answers for the first rows of the test part, against
  which the served path is held;
- ``signature.json``, ``reference.json``, ``decision.json``, ``training.json``, ``environment.json``: the classes below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivetrain.core.artifacts import Estimate
from drivetrain.core.schema import ColumnType
from drivetrain.core.windows import WindowPlan

UNKNOWN = -1.0
"""The code of a text that was not seen in training."""


@dataclass(frozen=True)
class InputField:
    """One column the model takes.

    A row is packed as float64: numbers as they are, booleans as 0 and 1, dates and timestamps as seconds since 1970
    (UTC), text as the index in ``categories``, -1 for text that is not among them, NaN for missing.
    ``low`` and ``high`` are the range seen in training, ``typical`` the packed median or commonest value.
    """

    name: str
    type: ColumnType
    nullable: bool
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    typical: float = 0.0


@dataclass(frozen=True)
class Signature:
    """What a model takes and what its score is the probability of.

    With ``windows`` some inputs are computed from the events that a server has seen; a caller sends events then.
    """

    inputs: tuple[InputField, ...]
    entity: str
    target: str
    windows: WindowPlan | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The input names, in the order in which a row is packed."""
        return tuple(field.name for field in self.inputs)


@dataclass(frozen=True)
class Distribution:
    """How the packed values of one column are spread: counts between sorted cut points, and missing values.

    ``counts[i]`` rows lie in [cuts[i-1], cuts[i]); there is one count more than cuts.
    """

    name: str
    cuts: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int


@dataclass(frozen=True)
class Reference:
    """What the model learned from: the spread of every input, of the out-of-fold score, and the rate of the label."""

    rows: int
    inputs: tuple[Distribution, ...]
    score: Distribution
    label_rate: float


@dataclass(frozen=True)
class DecisionRule:
    """Turns a score into a decision: true when score >= threshold. Separate from the score, so it changes alone.

    ``kind`` says what the threshold was made from: a cost matrix, an alert capacity, or a given number.
    """

    kind: Literal["cost", "capacity", "threshold"]
    threshold: float
    false_positive: float | None = None
    false_negative: float | None = None
    capacity: float | None = None


@dataclass(frozen=True)
class CandidateScore:
    """One candidate of the search: its best cross-validated estimate and its parameters as JSON."""

    name: str
    estimate: Estimate
    params: str
    trials: int
    defaults: bool


@dataclass(frozen=True)
class BlendPart:
    """A candidate in the final model and its weight."""

    candidate: str
    weight: float


@dataclass(frozen=True)
class TrainingSummary:
    """How the model came to be: what was tried, what won, and why."""

    metric: str
    seed: int
    protocol: str
    candidates: tuple[CandidateScore, ...]
    blend: tuple[BlendPart, ...]
    why: str
    calibration: str
    tracking: str = ""


@dataclass(frozen=True)
class Environment:
    """The Python and the libraries that made the model, ``name==version`` each."""

    python: str
    packages: tuple[str, ...]
