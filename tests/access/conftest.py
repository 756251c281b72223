from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from drivetrain.access.exact import encode
from drivetrain.access.keys import Signer, create_signer
from drivetrain.access.signatures import APPROVAL, RELEASE, seal, state
from drivetrain.access.verification import APPROVED, MANIFEST, MEASURED, SIGNATURE
from drivetrain.core.artifacts import Endorsement, Estimate, GateResult
from drivetrain.core.digest import SHORT, digest_bytes
from drivetrain.core.lineage import ApprovalPredicate, Code, Lineage, Manifest, ReleasePredicate
from drivetrain.core.model import Environment
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor, Role
from drivetrain.store.folders import digests, write_folder

PASSED = GateResult("roc_auc", "pass", Estimate("roc_auc", 0.87, 0.86, 0.88, 900), ">= 0.8", "")


@dataclass(frozen=True)
class Parts:
    """A release made by hand, so that a test can make a wrong one; each ``with_`` gives the folder's bytes."""

    signer: Signer
    approver: Signer
    files: Mapping[str, bytes]
    manifest: Manifest
    gates: tuple[GateResult, ...] = (PASSED,)

    @property
    def ref(self) -> Ref:
        return Ref(Kind.RELEASE, self.manifest.name, digest_bytes(encode(self.manifest))[:SHORT])

    def predicate(self) -> ReleasePredicate:
        return ReleasePredicate(
            endorsement(self.signer), self.ref, self.manifest.verdict, self.manifest.override, self.gates
        )

    def signed(self, predicate: ReleasePredicate | None = None) -> dict[str, bytes]:
        files = {**self.files, MANIFEST: encode(self.manifest)}
        about = {name: files[name] for name in (MANIFEST, *MEASURED)}
        return {**files, SIGNATURE: seal(state(RELEASE, about, predicate or self.predicate()), self.signer)}

    def approved(self, predicate: ReleasePredicate | None = None) -> dict[str, bytes]:
        files = self.signed(predicate)
        about = {name: files[name] for name in (MANIFEST, SIGNATURE)}
        said = ApprovalPredicate(endorsement(self.approver), self.ref)
        return {**files, APPROVED: seal(state(APPROVAL, about, said), self.approver)}

    def but(self, **changes: object) -> Parts:
        return replace(self, **changes)


def endorsement(signer: Signer) -> Endorsement:
    return Endorsement(
        signer.actor.name, str(signer.actor.role), signer.key_id, "2026-11-23T01:02:03.000004+00:00", "good"
    )


@pytest.fixture(scope="session")
def signers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Signer]:
    keys = tmp_path_factory.mktemp("keys")
    roles = {"mia": Role.ML_ENGINEER, "max": Role.ML_ENGINEER, "ada": Role.AI_ENGINEER, "eve": Role.AUDITOR}
    return {name: create_signer(keys, name, role) for name, role in roles.items()}


@pytest.fixture
def actors(signers: dict[str, Signer]) -> dict[str, Actor]:
    return {name: signer.actor for name, signer in signers.items()}


@pytest.fixture
def parts(signers: dict[str, Signer]) -> Parts:
    files = {
        "model/model.onnx": bytes(range(256)),
        "report/report.json": b'{"roc_auc": 0.87}\n',
        "project/sql/features.sql": b"select 1\n",
    }
    lineage = Lineage((), (), Code(None, None), Environment("3.11.9", ("numpy==2.4.0",)))
    manifest = Manifest("risk", "pass", "", digests(files), lineage)
    measured = {"report/measurements.json": b'{"p99_ms": 0.2}\n', "report/report.html": b"<!doctype html>\n"}
    return Parts(signers["mia"], signers["ada"], {**files, **measured}, manifest)


@pytest.fixture
def folder(tmp_path: Path, parts: Parts) -> Path:
    path = tmp_path / "release"
    write_folder(path, parts.approved())
    return path
