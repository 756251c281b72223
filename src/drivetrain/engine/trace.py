"""From a prediction back to everything it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.access.verification import VerifiedRelease, verify_release
from drivetrain.core.artifacts import Artifact, Dataset, Deployment, Features, Model, Release, Report
from drivetrain.core.display import table
from drivetrain.core.errors import NotFound
from drivetrain.core.model import CLASS, HIGH, LOW, RULE
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor
from drivetrain.engine.summary import summary
from drivetrain.store.catalog import Catalog
from drivetrain.store.journal import roll
from drivetrain.store.tables import Table

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TraceStep:
    """One thing a prediction stands on, and what is known of it."""

    what: str
    name: str
    facts: Facts


@dataclass(frozen=True)
class Trace:
    """The way back, nearest first."""

    subject: str
    steps: tuple[TraceStep, ...]

    def _repr_html_(self) -> str:
        rows = [
            (step.what, step.name, "; ".join(f"{key}: {value}" for key, value in step.facts)) for step in self.steps
        ]
        return table(f"Trace of {self.subject}", ("what", "name", "facts"), rows)


def trace_prediction(prediction_id: str, catalog: Catalog, actors: Mapping[str, Actor]) -> Trace:
    """From a prediction id to release, report, model, features, datasets, code, signer and approver.

    Raises NotFound when no service of this project recorded that prediction, Tampered when its release was changed.
    """
    for service in catalog.names(Kind.DEPLOYMENT):
        roll(catalog, service)
        row = _prediction(catalog, service, prediction_id)
        if row is not None:
            release = Ref.parse(str(row["release"]))
            steps = (_prediction_step(service, row), *_deployment_steps(service, row, catalog))
            return Trace(prediction_id, (*steps, *_release_steps(release, catalog, actors)))
    raise NotFound(
        "prediction_unknown",
        f"no service of this project recorded the prediction {prediction_id!r}",
        where=str(catalog.home),
        hint="the id stands in every answer of the service; is this the project that served it?",
    )


def trace_artifact(ref: Ref, catalog: Catalog, actors: Mapping[str, Actor]) -> Trace:
    """From any artefact back to its data."""
    artifact = catalog.find(ref)
    if isinstance(artifact, Release):
        return Trace(str(ref), _release_steps(artifact.ref, catalog, actors))
    return Trace(
        str(ref), tuple(_step(catalog.find(each)) for each in (artifact.ref, *catalog.ancestors(artifact.ref)))
    )


def _prediction(catalog: Catalog, service: str, prediction_id: str) -> dict[str, object] | None:
    predictions = Table(catalog.table_path("predictions", service))
    if not predictions.exists():
        return None
    found: pa.Table = predictions.dataset().to_table(filter=ds.field("prediction_id") == prediction_id)
    rows = found.to_pylist()
    return dict(rows[0]) if rows else None


def _prediction_step(service: str, row: Mapping[str, object]) -> TraceStep:
    inputs = row["inputs"]
    shown = ", ".join(f"{key}={value}" for key, value in inputs.items()) if isinstance(inputs, dict) else ""
    outputs = tuple((name, str(row[name])) for name in (CLASS, LOW, HIGH, RULE) if row.get(name) is not None)
    facts = (
        ("service", service), ("at", str(row["at"])), ("score", str(row["score"])), ("decision", str(row["decision"])),
        *outputs, ("caller", str(row["caller"])), ("entity", str(row["entity"] or "")), ("inputs", shown),
    )  # fmt: skip
    return TraceStep("prediction", str(row["prediction_id"]), tuple(fact for fact in facts if fact[1]))


def _deployment_steps(service: str, row: Mapping[str, object], catalog: Catalog) -> tuple[TraceStep, ...]:
    """What served when the prediction was made; the prediction says itself which release answered.

    A server takes a moment to take up a deployment: in that moment it is the one before that still answered.
    """
    at = row["at"]
    before = [each for each in catalog.deployments(service) if isinstance(at, datetime) and _since(each) <= at]
    answering = [each for each in before if any(str(share.release) == row["release"] for share in each.shares)]
    return tuple(_step(deployment) for deployment in answering[-1:])


def _since(deployment: Deployment) -> datetime:
    return datetime.fromisoformat(deployment.at)


def _release_steps(ref: Ref, catalog: Catalog, actors: Mapping[str, Actor]) -> tuple[TraceStep, ...]:
    release = catalog.get(Release, ref)
    verified = verify_release(catalog.folder(release.ref), actors, need_approval=False, expected=release.ref)
    ancestors = sorted(catalog.ancestors(release.ref), key=lambda parent: -list(Kind).index(parent.kind))
    steps = (_step(catalog.find(parent)) for parent in ancestors)
    return (_verified_step(release, verified), *steps, _code_step(verified))


def _verified_step(release: Release, verified: VerifiedRelease) -> TraceStep:
    signed, approval = verified.signed, verified.approval
    facts = [
        ("digest", release.digest), ("verdict", release.verdict), ("override", release.override),
        ("signed by", f"{signed.actor} ({signed.role}) at {signed.at}"),
        ("approved by", f"{approval.actor} ({approval.role}) at {approval.at}" if approval else "nobody"),
        ("comment", approval.comment if approval else ""),
        ("signatures", "checked against actors.yaml, every byte as signed"),
    ]  # fmt: skip
    return TraceStep("release", str(release.ref), tuple(fact for fact in facts if fact[1]))


def _code_step(verified: VerifiedRelease) -> TraceStep:
    code = verified.manifest.lineage.code
    dirty = (
        f"uncommitted diff {code.diff_sha256[:12]} kept in the release" if code.diff_sha256 else "nothing uncommitted"
    )
    packages = ", ".join(verified.manifest.lineage.environment.packages)
    return TraceStep("code", code.commit or "no git commit", (("state", dirty), ("packages", packages)))


def _step(artifact: Artifact) -> TraceStep:
    return TraceStep(artifact.kind, str(artifact.ref), (("what", summary(artifact)), *_own_facts(artifact)))


def _own_facts(artifact: Artifact) -> Facts:
    match artifact:
        case Dataset():
            reviews = (("changed by", review) for review in artifact.load.reviews)
            return (("table version", str(artifact.version)), ("digest", artifact.digest), *reviews)
        case Features():
            return (("sql", ", ".join(file.path for file in artifact.sql)), ("digest", artifact.digest))
        case Model() | Report():
            return (("digest", artifact.digest),)
        case Deployment():
            trial = artifact.challenger
            facts = (
                ("by", artifact.actor), ("since", artifact.at), ("trial", str(trial or "")),
                ("shadows", ", ".join(str(shadow.release) for shadow in artifact.shadows)), ("why", artifact.reason),
            )  # fmt: skip
            return tuple(fact for fact in facts if fact[1])
        case _:
            return ()
