"""The artefacts that flow from stage to stage. Each is a frozen value with a ref, a digest and its parents.

An artefact says where its bytes are and what they hash to; the bytes themselves lie in ``store``. Versions of tables
count up (Delta versions); versions of everything else are the start of their content digest, so that the same content
has the same name on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from drivetrain.core.changes import SourceChange
from drivetrain.core.digest import SHORT, FileDigest
from drivetrain.core.display import Displayed
from drivetrain.core.loads import Loaded
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.schema import Schema
from drivetrain.core.task import Task
from drivetrain.core.windows import WindowPlan

Verdict = Literal["pass", "fail"]


@dataclass(frozen=True)
class Estimate:
    """A measured number with the bounds of its 95 % interval and the rows it was measured on."""

    name: str
    value: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Dataset(Displayed):
    """A version of a source's Delta table, after its contract; bad rows stand in the quarantine table."""

    kind: ClassVar[Kind] = Kind.DATASET
    name: str
    version: int
    digest: str
    rows: int
    quarantined: int
    schema: Schema
    parents: tuple[Ref, ...] = ()
    load: Loaded = field(default_factory=Loaded)

    @property
    def ref(self) -> Ref:
        """``dataset/name@delta-version``."""
        return Ref(self.kind, self.name, str(self.version))


@dataclass(frozen=True)
class SplitPart:
    """One part: ``train`` or ``test``, or ``open`` without labels; its rows and, of yes or no, how many are true."""

    part: Literal["train", "test", "open"]
    rows: int
    positives: int | None


@dataclass(frozen=True)
class KnowledgeTables:
    """What the service is to know: versions of the tables ``knowledge`` and ``queries`` of one name, and their digest.

    Without ``queries`` nobody said what is asked.
    """

    passages: int
    queries: int | None
    digest: str


@dataclass(frozen=True)
class Features(Displayed):
    """A version of a feature table: entity, label, time if there is one, input columns, and the column ``split``.

    ``classes`` are the texts of the label in the training part, commonest first, where the task is ``classes``;
    ``windows`` says which of the inputs a server computes from events, ``texts`` which are free text. ``kept`` are more
    columns, for those who look at cases; with ``blind`` the label may be missing, and is not learned from. Where
    ``blocks`` are not ``none`` the table says which rows stay together in folds: ``groups``, or ``moments`` in order.
    ``retriever`` is the digest of what finds the items that are cases, see ``store.retrievers``.
    """

    kind: ClassVar[Kind] = Kind.FEATURES
    name: str
    version: int
    digest: str
    entity: str
    label: str
    time: str | None
    inputs: Schema
    parts: tuple[SplitPart, ...]
    sql: tuple[FileDigest, ...]
    parents: tuple[Ref, ...]
    task: Task = Task.YES_NO
    classes: tuple[str, ...] = ()
    windows: WindowPlan | None = None
    kept: tuple[str, ...] = ()
    blocks: Literal["none", "groups", "moments"] = "none"
    texts: tuple[str, ...] = ()
    knowledge: KnowledgeTables | None = None
    blind: bool = False
    retriever: str = ""

    @property
    def ref(self) -> Ref:
        """``features/name@delta-version``."""
        return Ref(self.kind, self.name, str(self.version))


@dataclass(frozen=True)
class Model(Displayed):
    """A folder: ONNX graph, signature, reference statistics, decision rule, training summary, environment."""

    kind: ClassVar[Kind] = Kind.MODEL
    name: str
    digest: str
    learner: str
    estimate: Estimate
    files: tuple[FileDigest, ...]
    parents: tuple[Ref, ...]

    @property
    def ref(self) -> Ref:
        """``model/name@digest``."""
        return Ref(self.kind, self.name, self.digest[:SHORT])


@dataclass(frozen=True)
class GateResult:
    """One gate: what was measured against which threshold. A gate that could not run has verdict ``fail``.

    ``timed`` marks what this machine's speed decides (latency): kept out of the report's digest, so that the same
    model on the same data makes the same release everywhere.
    """

    gate: str
    verdict: Verdict
    measured: Estimate | None
    threshold: str
    detail: str
    timed: bool = False


@dataclass(frozen=True)
class Report(Displayed):
    """The proof of a model: metrics with intervals, gates, verdict. A folder with ``report.json`` and the page."""

    kind: ClassVar[Kind] = Kind.REPORT
    name: str
    digest: str
    verdict: Verdict
    metrics: tuple[Estimate, ...]
    gates: tuple[GateResult, ...]
    parents: tuple[Ref, ...]

    @property
    def ref(self) -> Ref:
        """``report/name@digest``."""
        return Ref(self.kind, self.name, self.digest[:SHORT])

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """The gates that did not pass."""
        return tuple(gate for gate in self.gates if gate.verdict == "fail")


@dataclass(frozen=True)
class Endorsement:
    """Who stood up for a release, in which role, when (ISO 8601, UTC), with which key, and what they said."""

    actor: str
    role: str
    key_id: str
    at: str
    comment: str = ""


ReviewVerdict = Literal["accept", "reject"]


@dataclass(frozen=True)
class Decision:
    """What a second person decided about a review; ``envelope`` is the signed statement (DSSE), as text."""

    verdict: ReviewVerdict
    said: Endorsement
    envelope: str


@dataclass(frozen=True)
class Review(Displayed):
    """A change of a source that was refused, for a second person to look at. ``decision`` is None until then.

    ``base`` is the digest of the dataset that the change would change (empty: there is none yet), ``readers`` are lines
    about who reads what changes. The digest covers name, base and changes, so no other change is agreed to with it.
    """

    kind: ClassVar[Kind] = Kind.REVIEW
    name: str
    digest: str
    base: str
    changes: tuple[SourceChange, ...]
    readers: tuple[str, ...]
    parents: tuple[Ref, ...]
    decision: Decision | None = None

    @property
    def ref(self) -> Ref:
        """``review/source@digest``."""
        return Ref(self.kind, self.name, self.digest[:SHORT])


@dataclass(frozen=True)
class Release(Displayed):
    """The contract between the two engineers: a signed folder. ``approval`` is None until the other role agrees."""

    kind: ClassVar[Kind] = Kind.RELEASE
    name: str
    digest: str
    verdict: Verdict
    override: str
    signed: Endorsement
    approval: Endorsement | None
    parents: tuple[Ref, ...]

    @property
    def ref(self) -> Ref:
        """``release/name@digest``."""
        return Ref(self.kind, self.name, self.digest[:SHORT])

    @property
    def endorsers(self) -> tuple[str, ...]:
        """Who signed it and, when somebody did, who approved it."""
        return tuple(said.actor for said in (self.signed, self.approval) if said is not None)


@dataclass(frozen=True)
class TrafficShare:
    """A release and its share of a service's traffic, from 0 to 1."""

    release: Ref
    share: float


@dataclass(frozen=True)
class Deployment(Displayed):
    """Which releases answer for a service, from when on, on which target, who decided it, and why.

    The first of ``shares`` is the champion. A second one is a challenger on trial under the rule ``canary``: it
    answers its share, the champion the rest. ``shadows`` get a copy of their share of the rows and never answer.
    """

    kind: ClassVar[Kind] = Kind.DEPLOYMENT
    name: str
    version: int
    target: str
    shares: tuple[TrafficShare, ...]
    actor: str
    at: str
    parents: tuple[Ref, ...]
    shadows: tuple[TrafficShare, ...] = ()
    canary: CanaryRule | None = None
    reason: str = ""

    @property
    def ref(self) -> Ref:
        """``deployment/service@number``."""
        return Ref(self.kind, self.name, str(self.version))

    @property
    def champion(self) -> Ref:
        """The release that answers, but for what a challenger gets."""
        return self.shares[0].release

    @property
    def challenger(self) -> Ref | None:
        """The release on trial, if there is one."""
        return self.shares[1].release if len(self.shares) > 1 else None

    @property
    def releases(self) -> tuple[Ref, ...]:
        """Every release that gets rows, the champion first."""
        return tuple(dict.fromkeys(share.release for share in (*self.shares, *self.shadows)))


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column (or the score) moved: population stability index, p-value, and whether it is an alarm."""

    name: str
    psi: float
    p_value: float
    missing_before: float
    missing_now: float
    alarm: bool


@dataclass(frozen=True)
class DriftReport(Displayed):
    """Served traffic against the reference in its release, and performance where labels have arrived."""

    kind: ClassVar[Kind] = Kind.DRIFT
    name: str
    digest: str
    rows: int
    labelled: int
    columns: tuple[ColumnDrift, ...]
    performance: tuple[Estimate, ...]
    verdict: Literal["steady", "drifted", "too_few_rows"]
    recommendation: str
    parents: tuple[Ref, ...]

    @property
    def ref(self) -> Ref:
        """``drift/service@digest``."""
        return Ref(self.kind, self.name, self.digest[:SHORT])


Artifact = Review | Dataset | Features | Model | Report | Release | Deployment | DriftReport
"""Every kind of artefact; a new kind adds its dataclass here and nothing else."""

CLASSES: dict[Kind, type[Artifact]] = {
    cls.kind: cls for cls in (Review, Dataset, Features, Model, Report, Release, Deployment, DriftReport)
}
