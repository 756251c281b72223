"""What travels inside a Model as data, so that training and serving never meet: ``train`` writes it, others read it.

The files of a model folder:

- ``model.onnx``: one input ``row`` (float64 [n, F], columns in signature order), one output ``score``: the calibrated
  probability that the target is true (float [n]), the calibrated probability of each class (float [n, K]), or the
  estimated number (float [n]), as the task of the signature says; or, for a model that is a person's code,
  ``entry.json`` (the function and its limits) and ``code/`` (its files);
- ``expected.npy`` (float64): what the trained pipeline itself answers for the first rows of the test part, against
  which the served path is held;
- ``texts/TEXT/``: the encoder of each free text, see ``ops.text``;
- ``knowledge/``: the passages that the service searches and how, see ``ops.knowledge``;
- ``items/``: what finds the items that somebody may buy next, see ``ops.retriever``;
- ``chat.json``: how the service talks with people, ``core.conversation.ChatPlan``;
- ``interval.json``: where the task is a number, how far from the estimate the truth lies;
- ``rules.json``: hard rules, where there are some;
- ``backtest.npy`` (float64 [m, 2]): rows of the training part, by their place there, and what a model that saw only
  what came before them estimated, where earlier origins were asked for;
- ``signature.json``, ``reference.json``, ``decision.json``, ``training.json``, ``environment.json``: the classes below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivetrain.core.artifacts import Estimate
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.core.windows import Step, WindowPlan

UNKNOWN = -1.0
"""The code of a text that was not seen in training."""


@dataclass(frozen=True)
class InputField:
    """One column the model takes.

    A row is packed as float64: numbers as they are, booleans as 0 and 1, dates and timestamps as seconds since 1970
    (UTC), text as the index in ``categories``, -1 for text that is not among them, NaN for missing.
    ``low`` and ``high`` are the range seen in training, ``typical`` the packed median or commonest value. A free text
    is packed as several numbers, the margins of a linear model over its terms: ``of`` names the text that a column is
    one of the margins of, ``made_by`` is the digest of the encoder.
    """

    name: str
    type: ColumnType
    nullable: bool
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    typical: float = 0.0
    of: str = ""
    made_by: str = ""


@dataclass(frozen=True)
class OutputField:
    """One thing that is said of a row beside score and decision, kept as float64: a number, or a text by its index."""

    name: str
    type: ColumnType
    categories: tuple[str, ...] = ()


CLASS, LOW, HIGH, RULE = "class", "low", "high", "rule"
"""Names of outputs: the class that is said; the ends of the interval around a number; the rule that spoke."""
NO_RULE = "none"
"""What is said of a row of which no rule speaks."""


@dataclass(frozen=True)
class Signature:
    """What a model takes, and what it says of the target. ``classes``, commonest first, are those of the task.

    With ``windows`` some inputs are computed from the events that a server has seen; a caller sends events then. Of a
    ``blind`` model, which learned from no label, the score is the share of usual rows that look less odd. ``rules`` are
    the names of the rules, in the order in which they are asked.
    """

    inputs: tuple[InputField, ...]
    entity: str
    target: str
    task: Task = Task.YES_NO
    classes: tuple[str, ...] = ()
    windows: WindowPlan | None = None
    blind: bool = False
    rules: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The input names, in the order in which a row is packed."""
        return tuple(field.name for field in self.inputs)

    @property
    def texts(self) -> tuple[str, ...]:
        """The free texts, in the order in which they are packed, behind all other inputs."""
        return tuple(dict.fromkeys(field.of for field in self.inputs if field.of))

    @property
    def asked(self) -> tuple[InputField, ...]:
        """What a caller gives of a row: the inputs, but one text for all the columns that are made of it."""
        plain = tuple(field for field in self.inputs if not field.of)
        return (*plain, *(InputField(text, ColumnType.TEXT, nullable=True) for text in self.texts))

    def place(self, asked: InputField) -> slice:
        """Where what is asked for stands in a packed row."""
        places = [at for at, field in enumerate(self.inputs) if asked.name == (field.of or field.name)]
        return slice(places[0], places[-1] + 1)

    @property
    def outputs(self) -> tuple[OutputField, ...]:
        """What is said of a row beside score and decision; the rule, where there are some, last."""
        rule = (OutputField(RULE, ColumnType.TEXT, (NO_RULE, *self.rules)),) if self.rules else ()
        if self.task is Task.CLASSES:
            return (OutputField(CLASS, ColumnType.TEXT, self.classes), *rule)
        if self.task is Task.NUMBER:
            return (OutputField(LOW, ColumnType.NUMBER), OutputField(HIGH, ColumnType.NUMBER), *rule)
        return rule


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
    """What the model learned from: the spread of every input, of the label, and of what is said out of fold.

    The label is 0 or 1, the index of a class, or a number; ``label_mean`` is its mean, of classes the share of the
    commonest. ``outputs`` are those of the signature.
    """

    rows: int
    inputs: tuple[Distribution, ...]
    score: Distribution
    label: Distribution
    label_mean: float
    outputs: tuple[Distribution, ...] = ()


@dataclass(frozen=True)
class DecisionRule:
    """Turns a score into a decision: true when score >= threshold. Separate from the score, so it changes alone.

    ``kind`` says what the threshold was made from: a cost matrix, an alert capacity, a given number; of classes the
    share of rows that a person may get instead, or what a wrong answer and a person cost; or nothing, so that it is
    always true. With ``below`` the decision is true when score <= threshold. With ``times`` a miss costs
    ``false_negative`` times the value of that input.
    """

    kind: Literal["cost", "capacity", "threshold", "rejection", "hand_over", "limit", "none"]
    threshold: float
    false_positive: float | None = None
    false_negative: float | None = None
    capacity: float | None = None
    below: bool = False
    times: str = ""


@dataclass(frozen=True)
class Rule:
    """A hard rule: rows for which its condition is true are decided so, and of classes are of the class it names.

    ``when`` is the condition in SQL, ``steps`` the same for a server, see ``ops.expressions``.
    """

    name: str
    when: str
    steps: tuple[Step, ...]
    decide: bool | str
    because: str


@dataclass(frozen=True)
class Interval:
    """How far from an estimate the truth lies, found on rows that were not learned from (split-conformal).

    ``low`` and ``high`` are what to add to an estimate at each of ``knots`` (rising; a line between two) so that the
    share ``coverage`` of the truths lies between.
    """

    coverage: float
    knots: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


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
