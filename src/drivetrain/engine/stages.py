"""The stages in their order: what each is made from, and the call that makes it.

The stage functions are imported when they run, not before: a plan in which nothing is stale must not pay for
scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeVar

from drivetrain.access.actors import FILE as ACTORS
from drivetrain.access.actors import read_actors
from drivetrain.access.keys import Signer
from drivetrain.access.secrets import KnownSecrets
from drivetrain.core.artifacts import Artifact, Dataset, Deployment, Features, Model, Release, Report
from drivetrain.core.credentials import NoSecrets, Secrets
from drivetrain.core.digest import digest_bytes, digest_of
from drivetrain.core.errors import NotFound, examples
from drivetrain.core.events import Progress
from drivetrain.core.loads import SourceAlarm
from drivetrain.core.plugins import is_hook, names
from drivetrain.core.project import GatesSpec, ProjectSpec
from drivetrain.core.refs import Kind
from drivetrain.core.settings import Settings
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.core.spec import Spec
from drivetrain.engine.reviews import verdicts
from drivetrain.ingest.fingerprint import fingerprint
from drivetrain.store.catalog import Catalog
from drivetrain.train.code_files import read_code

StageName = Literal["ingest", "prepare", "train", "validate", "release"]
STAGES: tuple[StageName, ...] = ("ingest", "prepare", "train", "validate", "release")
Inputs = dict[str, str]
A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Options:
    """What a person adds to one run: who signs, why a failed gate is overridden, what ingest lets in."""

    signer: Signer | None = None
    override: str = ""
    accept_schema: bool = False
    replay: bool = False


@dataclass
class Context:
    """One walk over the stages: the project, and what is there so far."""

    spec: ProjectSpec
    home: Path
    catalog: Catalog
    options: Options = field(default_factory=Options)
    secrets: Secrets = field(default_factory=NoSecrets)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    features: Features | None = None
    model: Model | None = None
    report: Report | None = None
    release: Release | None = None

    @property
    def actor_name(self) -> str:
        """Who runs the stages; empty when nobody was named."""
        return self.options.signer.actor.name if self.options.signer else ""

    def keep(self, artifact: Artifact) -> None:
        """Remember what a stage made, for the stages after it."""
        match artifact:
            case Dataset():
                self.datasets[artifact.name] = artifact
            case Features():
                self.features = artifact
            case Model():
                self.model = artifact
            case Report():
                self.report = artifact
            case Release():
                self.release = artifact
            case _:
                raise TypeError(f"no stage makes a {artifact.kind}")


def open_context(spec: ProjectSpec, catalog: Catalog, settings: Settings, options: Options | None = None) -> Context:
    """The start of a walk; credentials are looked up where ``settings`` say."""
    secrets = KnownSecrets(settings.environment, catalog.home)
    return Context(spec, catalog.home, catalog, options or Options(), secrets)


def _no_alarms(result: Artifact, before: Artifact | None, context: Context) -> tuple[SourceAlarm, ...]:
    return ()


@dataclass(frozen=True)
class Stage:
    """A stage of this project: its name, what it works on, what it is made from (name -> digest), how it is made."""

    stage: StageName
    name: str
    inputs: Callable[[Context], Inputs]
    make: Callable[[Context, Progress], Artifact]
    watch: Callable[[Artifact, Artifact | None, Context], tuple[SourceAlarm, ...]] = _no_alarms
    """What is not as expected of the result, given the newest one before it."""


def stages(spec: ProjectSpec) -> tuple[Stage, ...]:
    """Every stage of a project, in order; ingest once for each source."""
    return (
        *(_ingest_stage(source) for source in spec.sources),
        Stage("prepare", spec.project, _prepare_inputs, _prepare),
        Stage("train", spec.project, _train_inputs, _train),
        Stage("validate", spec.project, _validate_inputs, _validate),
        Stage("release", spec.project, _release_inputs, _release),
    )


def stages_until(spec: ProjectSpec, last: StageName, source: str = "") -> tuple[Stage, ...]:
    """The stages up to ``last``; with ``source``, ingest of that one only. Raises NotFound for another source."""
    if source and source not in spec.sources:
        known = f"sources: {examples(spec.sources, 20)}"
        raise NotFound("source_unknown", f"there is no source {source!r}", where="drivetrain.yaml", hint=known)
    wanted = STAGES[: STAGES.index(last) + 1]
    return tuple(
        stage
        for stage in stages(spec)
        if stage.stage in wanted and (not source or stage.stage != "ingest" or stage.name == source)
    )


def project_files(spec: ProjectSpec, home: Path) -> dict[str, bytes]:
    """The files that make the project what it is: the project file, the SQL, the hooks; by path inside the project."""
    paths = ["drivetrain.yaml", *_sql_paths(spec), *_hook_paths(spec), *_tagger_paths(spec)]
    return {path: _read(home, path) for path in paths if path == "drivetrain.yaml" or (home / path).is_file()}


# --- ingest -----------------------------------------------------------------------------------------------------


def _ingest_stage(source: str) -> Stage:
    def inputs(context: Context) -> Inputs:
        spec = context.spec.sources[source]
        return {f"section sources.{source}": _section(spec), f"data of {source}": fingerprint(spec, context.home)}

    def make(context: Context, progress: Progress) -> Artifact:
        from drivetrain.ingest.ingest import ingest, replay

        spec, options = context.spec.sources[source], context.options
        dataset = ingest(
            spec, source, context.catalog, progress, accept_schema=options.accept_schema,
            verdicts=verdicts(context.catalog, source), secrets=context.secrets,
        )  # fmt: skip
        return replay(spec, source, context.catalog, progress) if options.replay else dataset

    def watch(result: Artifact, before: Artifact | None, context: Context) -> tuple[SourceAlarm, ...]:
        from drivetrain.ingest.expectation import overdue, past_loads

        if isinstance(result, Dataset) and (not isinstance(before, Dataset) or result.load.at != before.load.at):
            return result.load.alarms
        pace = context.spec.sources[source].contract.pace
        return overdue(pace, past_loads(context.catalog, source), datetime.now(UTC))

    return Stage("ingest", source, inputs, make, watch)


# --- prepare ----------------------------------------------------------------------------------------------------


def _prepare_inputs(context: Context) -> Inputs:
    sql = {path: digest_bytes(_read(context.home, path)) for path in _sql_paths(context.spec)}
    data = {f"dataset {name}": dataset.digest for name, dataset in sorted(context.datasets.items())}
    knowledge = context.spec.knowledge
    more = {} if knowledge is None else {"section knowledge": digest_of(knowledge.passages, knowledge.queries)}
    return {"section features": _section(context.spec.features), **more, **sql, **data}


def _prepare(context: Context, progress: Progress) -> Artifact:
    from drivetrain.prepare.prepare import prepare

    spec, catalog = context.spec, context.catalog
    return prepare(spec.features, spec.project, context.datasets, catalog, progress, knowledge=spec.knowledge)


# --- train ------------------------------------------------------------------------------------------------------


def _train_inputs(context: Context) -> Inputs:
    features = _made(context.features, "prepare")
    return {
        "section model": _section(context.spec.model),
        "features": features.digest,
        **({"windows": digest_of(features.windows)} if features.windows else {}),
        **({"knowledge": features.knowledge.digest} if features.knowledge else {}),
        **({"section knowledge": _section(context.spec.knowledge)} if context.spec.knowledge else {}),
        **({"retriever": features.retriever} if features.retriever else {}),
        **({"section chat": _section(context.spec.chat)} if context.spec.chat else {}),
        **{path: digest_bytes(_read(context.home, path)) for path in _learner_paths(context.spec)},
        **{path: digest_bytes(content) for path, content in read_code(context.spec.model, context.home).items()},
    }


def _train(context: Context, progress: Progress) -> Artifact:
    from drivetrain.train.train import train

    spec, features = context.spec, _made(context.features, "prepare")
    return train(
        spec.model, spec.project, features, context.catalog, progress, knowledge=spec.knowledge, chat=spec.chat
    )


# --- validate ---------------------------------------------------------------------------------------------------


def _validate_inputs(context: Context) -> Inputs:
    champion = _champion(context)
    return {
        "section gates": _section(_gates(context.spec)),
        "features": _made(context.features, "prepare").digest,
        "model": _made(context.model, "train").digest,
        "champion": champion.digest if champion else "",
        "gates installed": digest_of(names("gates")),
        **{path: digest_bytes(_read(context.home, path)) for path in _gate_paths(context.spec)},
    }


def _validate(context: Context, progress: Progress) -> Artifact:
    from drivetrain.validate.validate import validate

    model, features = _made(context.model, "train"), _made(context.features, "prepare")
    name, catalog = context.spec.project, context.catalog
    return validate(_gates(context.spec), name, model, features, _champion(context), catalog, progress)


def _gates(spec: ProjectSpec) -> GatesSpec:
    """The gates; the card's purpose is the project's description when it has none of its own."""
    purpose = spec.gates.card.purpose or spec.description
    return spec.gates.model_copy(update={"card": spec.gates.card.model_copy(update={"purpose": purpose})})


def _champion(context: Context) -> Model | None:
    """The model to beat: the newest one that was deployed for this service and is not the candidate itself.

    Leaving out the candidate keeps its proof fresh after it was deployed: it was held against the one before.
    """
    candidate, catalog = _made(context.model, "train"), context.catalog
    for entry in reversed(catalog.list(Kind.DEPLOYMENT, context.spec.service_name)):
        for share in catalog.get(Deployment, entry.ref).shares:
            for ref in catalog.ancestors(share.release):
                if ref.kind is Kind.MODEL and ref != candidate.ref:
                    return catalog.get(Model, ref)
    return None


# --- release ----------------------------------------------------------------------------------------------------


def _release_inputs(context: Context) -> Inputs:
    files = {path: digest_bytes(content) for path, content in project_files(context.spec, context.home).items()}
    report = _made(context.report, "validate")
    return {"report": digest_of(report.ref, report.verdict), **files}


def _release(context: Context, progress: Progress) -> Artifact:
    from drivetrain.release.bundle import project_state
    from drivetrain.release.release import release

    signer = context.options.signer
    if signer is None:
        raise TypeError("a run that reaches the release needs a signer")
    progress(0, 1, "signing")
    project = project_state(context.spec.project, context.home, project_files(context.spec, context.home))
    model, report = _made(context.model, "train"), _made(context.report, "validate")
    actors, override = read_actors(context.home / ACTORS), context.options.override
    made = release(project, model, report, signer, context.catalog, actors, override=override)
    progress(1, 1, f"signed by {made.signed.actor}")
    return made


# --- shared -----------------------------------------------------------------------------------------------------


def key_of(stage: Stage, inputs: Mapping[str, str]) -> str:
    """The key under which a stage's result is kept: its inputs, and the version of Drivetrain."""
    return digest_of(stage.stage, stage.name, dict(inputs), version("drivetrain"))


def _section(spec: Spec) -> str:
    return digest_of(spec.model_dump(mode="json"))


def _made(artifact: A | None, stage: str) -> A:
    if artifact is None:
        raise NotFound("stage_not_run", f"there is no result of {stage} yet", hint=f"run `drivetrain {stage}` first")
    return artifact


def _read(home: Path, path: str) -> bytes:
    try:
        return (home / path).read_bytes()
    except OSError as error:
        raise NotFound(
            "project_file_missing",
            f"cannot read {path}: {error.strerror}",
            where=str(home / "drivetrain.yaml"),
            hint="create the file, or correct its path in the project file",
        ) from error


def _sql_paths(spec: ProjectSpec) -> tuple[str, ...]:
    known = () if spec.knowledge is None else (spec.knowledge.passages, spec.knowledge.queries)
    items = () if spec.features.items is None else spec.features.items.files
    tables = (table.sql for table in spec.features.tables.values())
    return (spec.features.spine, *tables, *items, *filter(None, known))


def _learner_paths(spec: ProjectSpec) -> tuple[str, ...]:
    if spec.model.code is not None:
        return _files_of([spec.model.code])
    return _files_of(candidate.learner for candidate in spec.model.candidates or ())


def _gate_paths(spec: ProjectSpec) -> tuple[str, ...]:
    return _files_of(gate.hook for gate in spec.gates.custom.values())


def _hook_paths(spec: ProjectSpec) -> tuple[str, ...]:
    return (*_learner_paths(spec), *_gate_paths(spec))


def _tagger_paths(spec: ProjectSpec) -> tuple[str, ...]:
    sources = (source for source in spec.sources.values() if isinstance(source, DocumentsSource))
    return tuple(source.tagger for source in sources if source.tagger)


def _files_of(learners_or_gates: Iterable[str]) -> tuple[str, ...]:
    paths = {name.partition(":")[0] for name in learners_or_gates if is_hook(name)}
    return tuple(sorted(path for path in paths if path.endswith(".py")))
