"""The project file as frozen, typed specs. Parsed once, at the edge, by ``core.parse``; unknown keys are errors.

Whatever can be said here in YAML can be said from Python by making a ``ProjectSpec``.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from drivetrain.core.alarms import AlarmGate, FalseAlarmGate
from drivetrain.core.card import CardSpec
from drivetrain.core.chat import ChatSpec
from drivetrain.core.code_limits import CodeLimits
from drivetrain.core.decision import DecisionSpec
from drivetrain.core.forecast import BacktestGate, ForecastSpec, SeriesGate
from drivetrain.core.items import ItemsSpec, RankingGate
from drivetrain.core.knowledge import KnowledgeSpec, RetrievalGate
from drivetrain.core.outlets import OutletSpec
from drivetrain.core.rules import RulesGate, RulesSpec
from drivetrain.core.service import ServiceSpec
from drivetrain.core.sources import SourceSpec
from drivetrain.core.spec import Name, Share, Spec
from drivetrain.core.task import METRICS, Metric, Task
from drivetrain.core.task_rules import check_task
from drivetrain.core.texts import TextWay, TextWays

# --- prepare ----------------------------------------------------------------------------------------------------


class FeatureTable(Spec):
    """One SQL file that makes features of the entity.

    With ``event_time`` the newest row at or before the time of the row to predict is joined; with
    ``knowledge_time`` only rows that were known by then count. The windows of an ``online`` table are kept by the
    server, from the events that callers send.
    """

    sql: str
    event_time: str | None = None
    knowledge_time: str | None = None
    online: bool = Field(False, description="The server computes these features; one table of a project may be so.")
    late_hours: Annotated[float, Field(gt=0, le=8760)] = Field(
        24.0, description="Of an online table: how long after the newest event another one may come."
    )

    @model_validator(mode="after")
    def _online_has_no_times(self) -> Self:
        if self.online and (self.event_time or self.knowledge_time):
            raise ValueError("an online table has one row per entity: leave out `event_time` and `knowledge_time`")
        return self


class Split(Spec):
    """How rows are parted into training and test."""

    by: Literal["chance", "stratum", "group", "time", "given"] = Field(
        "stratum",
        description="`stratum` keeps the label's rate; `group` keeps the rows of a group together, `time` holds the "
        "newest back, and the folds of the search do the same; `given` takes the rows for which `column` is true.",
    )
    test: Annotated[float, Field(gt=0, lt=1)] = Field(0.2, description="Share of the rows that are held back.")
    seed: int = 0
    column: str | None = Field(None, description="The column of the spine to part by; `group` and `given` need it.")
    blocks: str | None = Field(
        None,
        description="The column of the spine whose values stay together in the folds of the search; that of the split, "
        "for `group` and `time`, when not given.",
    )
    gap_days: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="Of a split by time: rows of so many days before the test part are left out, because nobody knew "
        "their outcome when it began.",
    )

    @model_validator(mode="after")
    def _needs_column(self) -> Self:
        if self.by == "group" and self.column is None:
            raise ValueError("a split by group needs `column`: the column whose values stay together")
        if self.by == "given" and self.column is None:
            raise ValueError("a given split needs `column`: true for the rows that are held back")
        if self.gap_days and self.by != "time":
            raise ValueError("`gap_days` belongs to a split by time")
        return self


class LeakRules(Spec):
    """How leaks are judged. ``allow`` names columns that a person has looked at and keeps."""

    max_single_auc: Annotated[float, Field(gt=0.5, le=1)] = Field(0.99, description="ROC AUC of one column alone.")
    max_duplicates: Share = Field(0.05, description="Share of test rows that may stand in training, inputs and label.")
    allow: tuple[str, ...] = ()


class FeaturesSpec(Spec):
    """The rows to predict (spine: entity, label, time) and the feature tables joined to them."""

    spine: str = Field(description="SQL file that gives one row per case: entity, label and, if there is one, time.")
    entity: str = Field(description="Column of the spine that names a case.")
    label: str = Field(description="Column of the spine with the outcome: true or false, a text, or a number.")
    task: Task = Field(
        Task.YES_NO,
        description="What the label is: `yes_no` true or false, `classes` one of several texts, `number` an amount.",
    )
    time: str | None = Field(None, description="Column of the spine with the moment of the prediction.")
    texts: tuple[Name, ...] = Field((), description="Inputs that are read as language; other texts are categories.")
    tables: dict[Name, FeatureTable] = Field(default_factory=dict)
    items: ItemsSpec | None = Field(
        None, description="The cases are items that somebody may buy next. It takes the place of `tables`."
    )
    keep: tuple[str, ...] = Field(
        (),
        description="More columns of the spine, for gates of one's own and what is made of scores; no model sees them.",
    )
    open: bool = Field(
        False,
        description="Rows without an outcome are kept as part `open`, to be scored and not learned from; else they are "
        "a mistake.",
    )
    blind: bool = Field(
        False,
        description="No label is learned from: what is usual is, from rows alone. Labels may be missing; those that "
        "are there only judge.",
    )
    split: Split = Split()
    leaks: LeakRules = LeakRules()

    @model_validator(mode="after")
    def _tables_fit(self) -> Self:
        if sum(table.online for table in self.tables.values()) > 1:
            raise ValueError("only one table can be `online`: put the windows of all of them into its SQL")
        if self.items is not None and (self.tables or self.texts):
            raise ValueError("with `items` the server computes all inputs: leave out `tables` and `texts`")
        return self


# --- train ------------------------------------------------------------------------------------------------------

_FIRST = ", ".join(f"`{metrics[0]}` for `{task}`" for task, metrics in METRICS.items())


class Candidate(Spec):
    """A learner in the race: a built-in name or ``file.py:function`` that returns a scikit-learn estimator.

    ``params`` are fixed; everything else is searched, but for a person's own estimator, which is taken as it is.
    """

    learner: str
    params: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class Budget(Spec):
    """When the search ends: after that many seconds, or that many trials (reproducible), whichever comes first."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    trials: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _needs_one(self) -> Self:
        if self.seconds is None and self.trials is None:
            raise ValueError("a budget needs `seconds`, `trials` or both")
        return self


class ModelSpec(Spec):
    """What to learn with, how long to search, and how a score becomes a decision."""

    code: Annotated[str, Field(pattern=r"^[^:]+\.py:[A-Za-z_]\w*$")] | None = Field(
        None,
        description="`file.py:function` of your own that scores rows, instead of `candidates`. It needs the consent "
        "`gates.allow_code`.",
    )
    files: tuple[str, ...] = Field((), description="Paths and globs of what `code` reads and imports; it gets a copy.")
    limits: CodeLimits = Field(CodeLimits(), description="What `code` may take.")
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)] | None = Field(
        None,
        description="When not given: `logistic` (of numbers `linear`), `random_forest`, `hist_gradient_boosting`, "
        "`xgboost`. Of a blind project, which takes the mean of all: `distance`, `isolation_forest`.",
    )
    texts: TextWays = (TextWay(),)
    metric: Metric | None = Field(None, description=f"What the search improves; {_FIRST} when not given.")
    budget: Budget = Budget(trials=40)
    seed: int = 0
    calibration: Literal["auto", "none", "sigmoid"] = Field(
        "auto", description="`auto` keeps what is better. Of classes the sigmoid becomes a temperature."
    )
    blend_min_gain: Annotated[float, Field(ge=0)] = Field(
        0.001, description="Gain in the metric that a blend must bring over the best single model."
    )
    decision: DecisionSpec | None = Field(
        None, description="When a row is decided true; of a probability from 0.5 on, else always, when not given."
    )
    rules: RulesSpec = Field(RulesSpec(), description="What is decided whatever the model says.")
    coverage: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.9, description="Of numbers: the share of truths that lie within the interval around an estimate."
    )
    origins: Annotated[int, Field(ge=0)] = Field(
        0, description="So many of the newest moments are estimated by what came before; intervals stand on that."
    )
    tracking: str = Field("sqlite", description="`sqlite`, `off`, or the address of an MLflow server.")

    @model_validator(mode="after")
    def _code_or_search(self) -> Self:
        idle = ("candidates", "budget", "calibration", "blend_min_gain") if self.code else ("files", "limits")
        given = [name for name in idle if getattr(self, name) != type(self).model_fields[name].default]
        if given:
            why = "`code` is taken as it is" if self.code else "there is no `code`"
            raise ValueError(f"{why}, so `{given[0]}` has nothing to do: leave it out")
        return self


# --- validate ---------------------------------------------------------------------------------------------------


class Bound(Spec):
    """A threshold on a measured number; the bound of the 95 % interval decides when ``sure`` is true."""

    min: float | None = None
    max: float | None = None
    sure: bool = Field(False, description="Hold the bound of the interval to the threshold, not the value.")

    @model_validator(mode="after")
    def _needs_one(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("a bound needs `min`, `max` or both")
        return self


GateMetric = Annotated[Metric | None, Field(description=f"{_FIRST} when not given.")]


class BaselineGate(Spec):
    """The model beats always answering the same: the interval of the gain over that lies above this.

    The same is the base rate, or of classes that of each, by log loss; of numbers the mean, by RMSE.
    """

    min_gain: float = 0.0


class ChampionGate(Spec):
    """Against the release that serves now: the whole interval of the difference must lie above -tolerance."""

    metric: GateMetric = None
    tolerance: Annotated[float, Field(ge=0)] = 0.002


class FairnessGate(Spec):
    """Groups by a column (``cuts`` part a number into ranges) and how far they may be apart."""

    column: str
    cuts: tuple[float, ...] = ()
    measure: Literal["equal_opportunity", "demographic_parity", "equalized_odds"] = "equal_opportunity"
    max: Share = 0.2


class SliceGate(Spec):
    """The weakest slice, found by itself: its metric is at most ``max_drop`` below the whole."""

    metric: GateMetric = None
    max_drop: Annotated[float, Field(ge=0)] = 0.15
    min_rows: Annotated[int, Field(ge=20)] = 300


class RobustnessGate(Spec):
    """Missing fields, unit errors, unseen categories and noise: the metric drops by at most ``max_drop``.

    A fault touches ``share`` of the rows in one column at a time; no fault may make a score that is not a number.
    """

    metric: GateMetric = None
    max_drop: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="0.05 when not given. Of numbers then any: one input a thousand times too large costs what it "
        "costs, and only you know how much of that is too much.",
    )
    share: Annotated[float, Field(gt=0, le=1)] = 0.2


class LatencyGate(Spec):
    """One row, in process, on this machine."""

    p99_ms: Annotated[float, Field(gt=0)] = 5.0


class HookGate(Spec):
    """A gate of one's own: ``file.py:function`` that takes the evidence and returns a number, and its bound."""

    hook: str
    bound: Bound


class GatesSpec(Spec):
    """What a model must prove before it may be released. Every gate that is set runs; parity and safety always do."""

    roc_auc: Bound | None = None
    average_precision: Bound | None = None
    log_loss: Bound | None = None
    accuracy: Bound | None = Field(None, description="Of classes: the share of rows whose likeliest class is true.")
    macro_f1: Bound | None = Field(None, description="Of classes: the mean over them of F1.")
    r2: Bound | None = Field(None, description="Of numbers: the share of their variance that is explained.")
    rmse: Bound | None = Field(None, description="Of numbers: the root of the mean squared error, in their unit.")
    mae: Bound | None = Field(None, description="Of numbers: the mean absolute error, in their unit.")
    coverage: Bound | None = Field(None, description="Of numbers: the share of truths that lie in their interval.")
    false_alarms: FalseAlarmGate | None = Field(None, description="Of yes or no: flagged, and not known to be true.")
    alarms: AlarmGate | None = Field(
        None, description="Of machines run until they failed: what flags come to as alarms."
    )
    cost: Bound | None = Field(None, description="Average cost of a decision, under the cost matrix of the decision.")
    baseline: BaselineGate | None = BaselineGate()
    champion: ChampionGate | None = ChampionGate()
    calibration: Bound | None = Field(None, description="Expected calibration error, ten bins of equal count.")
    fairness: tuple[FairnessGate, ...] = ()
    slices: SliceGate | None = SliceGate()
    robustness: RobustnessGate | None = RobustnessGate()
    rules: RulesGate | None = RulesGate()
    series: tuple[SeriesGate, ...] = Field((), description="Of numbers: the error of each series by itself.")
    retrieval: RetrievalGate | None = None
    backtest: BacktestGate | None = Field(None, description="Of numbers: what held at earlier origins.")
    ranking: tuple[RankingGate, ...] = Field((), description="Of yes or no: the order of choices by their scores.")
    latency: LatencyGate | None = LatencyGate()
    leakage: LeakRules | None = LeakRules()
    parity: Annotated[float, Field(gt=0)] = Field(1e-6, description="Largest gap between served and trained score.")
    allow_code: Annotated[str, Field(min_length=10, max_length=500)] | None = Field(
        None, description="Why this model may be Python code, for the report; without it only data pass `safety`."
    )
    custom: dict[Name, HookGate] = Field(default_factory=dict)
    card: CardSpec = CardSpec()


# --- deploy, serve, monitor ---------------------------------------------------------------------------------------


class MonitorSpec(Spec):
    """When a change in the traffic is an alarm."""

    max_psi: Annotated[float, Field(gt=0)] = Field(
        0.2, description="A column whose population stability index is above this, and not by chance, is an alarm."
    )
    ignore: tuple[str, ...] = Field(
        (), description="Inputs that are no alarm, such as those that move with the season."
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.01, description="False alarms of a whole report, not a column."
    )
    window_rows: Annotated[int, Field(ge=1)] = Field(
        5000, description="How many of the newest predictions, and of the newest labelled ones, are judged."
    )
    min_rows: Annotated[int, Field(ge=1)] = Field(200, description="Fewer predictions than this are not judged.")
    metric: Metric | None = Field(
        None, description=f"What is watched where labels have arrived; {_FIRST} when not given."
    )
    max_drop: Annotated[float, Field(ge=0)] = Field(
        0.05,
        description="How much worse than in the release's report the metric may be; of `rmse` and `mae` by what share.",
    )

    @model_validator(mode="after")
    def _window_holds_enough(self) -> Self:
        if self.window_rows < self.min_rows:
            raise ValueError("`window_rows` is less than `min_rows`: no window would ever be judged")
        return self


class ProjectSpec(Spec):
    """``drivetrain.yaml``."""

    project: Name
    description: str = ""
    owner: str = ""
    use_case: str = ""
    sources: Annotated[dict[Name, SourceSpec], Field(min_length=1)]
    features: FeaturesSpec
    knowledge: KnowledgeSpec | None = None
    chat: ChatSpec | None = None
    model: ModelSpec = ModelSpec()
    gates: GatesSpec = GatesSpec()
    service: ServiceSpec = ServiceSpec()
    outlets: dict[Name, OutletSpec] = Field(default_factory=dict)
    monitor: MonitorSpec = MonitorSpec()
    forecast: ForecastSpec | None = None

    @model_validator(mode="after")
    def _fits_its_task(self) -> Self:
        check_task(self)
        return self

    @property
    def service_name(self) -> str:
        """The name under which the service is deployed."""
        return self.service.name or self.project
