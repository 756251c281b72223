"""The catalog: which artefacts exist, what they came from, and where their bytes lie."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from drivetrain.core.artifacts import CLASSES, Artifact, Deployment
from drivetrain.core.decoding import read_json
from drivetrain.core.errors import NotFound, Transient
from drivetrain.core.refs import Kind, Ref
from drivetrain.store.metadata import Metadata

STATE = ".drivetrain"
A = TypeVar("A", bound=Artifact)


@dataclass(frozen=True)
class Entry:
    """A line of the catalog."""

    ref: Ref
    digest: str
    actor: str
    made_at: str


@dataclass(frozen=True)
class StageRecord:
    """The last time a stage finished: what it was made from (name -> digest, as JSON) and what came out."""

    inputs: str
    ref: Ref
    finished_at: str


class Catalog:
    """The artefacts of one project, under ``.drivetrain`` in its folder.

    Several processes may use it at once. Bytes are written before the catalog names them, so whatever is named exists.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = home / STATE
        self._metadata = Metadata(self.state / "catalog.db")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self._metadata.close()

    def put(self, artifact: Artifact, *, actor: str = "") -> Ref:
        """Enter an artefact and its parents; entering the same one again changes nothing. Gives its ref."""
        self._metadata.write([("put_artifact", _values(artifact, actor, now())), *_parents(artifact)])
        return artifact.ref

    def follow(self, deployment: Deployment, *, actor: str) -> Ref:
        """Enter a deployment as the next one of its service, from its own time ``at`` on. Gives its ref.

        Two who change a service at once cannot overwrite each other: raises Transient for the one who comes second.
        """
        entry = ("put_next", _values(deployment, actor, deployment.at))
        if not self._metadata.write_if(entry, _parents(deployment)):
            raise Transient(
                "deployment_changed",
                f"somebody else changed what serves {deployment.name}: {deployment.ref} comes too late",
                where=deployment.name,
                hint="look at `drivetrain deployments`, then decide again",
            )
        return deployment.ref

    def deployments(self, service: str) -> tuple[Deployment, ...]:
        """What ever served, oldest first."""
        rows = self._metadata.read("history", kind=Kind.DEPLOYMENT, name=service)
        return tuple(read_json(row[0], Deployment) for row in rows)

    def deployment_at(self, service: str, when: datetime) -> Deployment | None:
        """What served at that time (with its time zone), or None when nothing did yet."""
        at = when.astimezone(UTC).isoformat(timespec="microseconds")
        rows = self._metadata.read("standing_at", kind=Kind.DEPLOYMENT, name=service, at=at)
        return read_json(rows[0][0], Deployment) if rows else None

    def get(self, cls: type[A], ref: Ref) -> A:
        """The artefact of that ref; a shortened digest is enough. Raises NotFound."""
        rows = self._metadata.read("get_artifact", kind=ref.kind, name=ref.name, version=ref.version)
        if not rows and not ref.version.isdigit():
            near = self._metadata.read("get_by_prefix", kind=ref.kind, name=ref.name, prefix=ref.version)
            if len(near) == 1:
                return self.get(cls, Ref(ref.kind, ref.name, near[0][2]))
        if not rows:
            raise NotFound(
                "artifact_unknown", f"there is no {ref}", hint=f"`drivetrain ls {ref.kind}` lists what there is"
            )
        return read_json(rows[0][0], cls)

    def find(self, ref: Ref) -> Artifact:
        """The artefact of that ref, whatever its kind. Raises NotFound."""
        return self.get(CLASSES[ref.kind], ref)

    def latest(self, cls: type[A], name: str) -> A | None:
        """The newest artefact of that kind and name."""
        rows = self._metadata.read("latest_artifact", kind=cls.kind, name=name)
        return read_json(rows[0][0], cls) if rows else None

    def newest(self, cls: type[A], name: str, count: int) -> tuple[A, ...]:
        """The newest ``count`` artefacts of that kind and name, oldest first."""
        rows = self._metadata.read("newest_artifacts", kind=cls.kind, name=name, count=str(count))
        return tuple(read_json(row[0], cls) for row in reversed(rows))

    def list(self, kind: Kind | None = None, name: str = "") -> tuple[Entry, ...]:
        """What is in the catalog, oldest first."""
        rows = self._metadata.read("list_artifacts", kind=kind or "", name=name)
        return tuple(
            Entry(Ref(Kind(kind), name, version), digest, actor, made_at)
            for kind, name, version, digest, actor, made_at in rows
        )

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The names under which there are artefacts of that kind, those of the oldest first."""
        return tuple(row[0] for row in self._metadata.read("names", kind=kind))

    def parents(self, ref: Ref) -> tuple[Ref, ...]:
        """What an artefact was made from."""
        return tuple(Ref.parse(row[0]) for row in self._metadata.read("get_parents", child=str(ref)))

    def children(self, ref: Ref) -> tuple[Ref, ...]:
        """What was made from an artefact."""
        return tuple(Ref.parse(row[0]) for row in self._metadata.read("get_children", parent=str(ref)))

    def ancestors(self, ref: Ref) -> tuple[Ref, ...]:
        """Everything an artefact stands on, nearest first, each once."""
        found: dict[Ref, None] = {}
        queue = list(self.parents(ref))
        while queue:
            parent = queue.pop(0)
            if parent not in found:
                found[parent] = None
                queue.extend(self.parents(parent))
        return tuple(found)

    def result(self, key: str) -> Ref | None:
        """What a stage made from inputs of that key, if it ever did."""
        rows = self._metadata.read("get_result", key=key)
        return Ref.parse(rows[0][0]) if rows else None

    def stage(self, stage: str, name: str) -> StageRecord | None:
        """The last finished run of a stage."""
        rows = self._metadata.read("get_stage", stage=stage, name=name)
        return StageRecord(rows[0][0], Ref.parse(rows[0][1]), rows[0][2]) if rows else None

    def finish(self, stage: str, name: str, key: str, inputs: str, ref: Ref) -> None:
        """Remember, in one transaction, that a stage made ``ref`` from inputs of that key."""
        at = now()
        self._metadata.write(
            [
                ("put_result", {"key": key, "ref": str(ref), "made_at": at}),
                ("put_stage", {"stage": stage, "name": name, "inputs": inputs, "ref": str(ref), "finished_at": at}),
            ]
        )

    def table_path(self, area: str, name: str) -> Path:
        """Where a Delta table lies: ``datasets``, ``quarantine``, ``features``, ``predictions``, ``labels``."""
        return self.state / "lake" / area / name

    def folder(self, ref: Ref) -> Path:
        """Where the folder of a model, report, release or drift report lies."""
        return self.state / f"{ref.kind}s" / ref.name / ref.version

    def journal_path(self, service: str) -> Path:
        """Where a service journals what it answers before the lake has it."""
        return self.state / "journal" / service

    def work_path(self, stage: str, key: str) -> Path:
        """Where a stage may keep unfinished work between a kill and the next start; safe to delete."""
        return self.state / "work" / stage / key[:16]


def now() -> str:
    """The time, ISO 8601 in UTC, to the microsecond."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _values(artifact: Artifact, actor: str, at: str) -> dict[str, str]:
    ref = artifact.ref
    return {
        "kind": ref.kind, "name": ref.name, "version": ref.version, "actor": actor, "made_at": at,
        "digest": _digest(artifact), "body": msgspec.json.encode(artifact).decode(),
    }  # fmt: skip


def _parents(artifact: Artifact) -> list[tuple[str, dict[str, str]]]:
    return [("put_parent", {"child": str(artifact.ref), "parent": str(parent)}) for parent in artifact.parents]


def _digest(artifact: Artifact) -> str:
    return getattr(artifact, "digest", "")
