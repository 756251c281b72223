"""What a release says of its own origin, and what its signatures cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivetrain.core.artifacts import Endorsement, GateResult, ReviewVerdict, Verdict
from drivetrain.core.digest import FileDigest
from drivetrain.core.model import Environment
from drivetrain.core.refs import Ref


@dataclass(frozen=True)
class Code:
    """The state of the project's code: the commit, and the digest of what was not committed (None when clean)."""

    commit: str | None
    diff_sha256: str | None


@dataclass(frozen=True)
class Ancestor:
    """An artefact a release stands on, by ref and by content."""

    ref: Ref
    digest: str


@dataclass(frozen=True)
class Lineage:
    """From data to report: every ancestor, the feature SQL, the code, the environment."""

    ancestors: tuple[Ancestor, ...]
    sql: tuple[FileDigest, ...]
    code: Code
    environment: Environment


@dataclass(frozen=True)
class Manifest:
    """``manifest.json`` of a release folder. The SHA-256 of this file is the release's digest.

    It holds only what the same project and data make again: timings and times stand in the signed statement.
    """

    name: str
    verdict: Verdict
    override: str
    files: tuple[FileDigest, ...]
    lineage: Lineage


@dataclass(frozen=True)
class ReleasePredicate:
    """What the ML engineer signs beside the files: when, in which role, and the gates as measured on that machine."""

    endorsement: Endorsement
    release: Ref
    verdict: Verdict
    override: str
    gates: tuple[GateResult, ...]


@dataclass(frozen=True)
class ApprovalPredicate:
    """What the AI engineer signs: this release, agreed to."""

    endorsement: Endorsement
    release: Ref
    decision: Literal["approve"] = "approve"


@dataclass(frozen=True)
class ReviewPredicate:
    """What a second person signs about a changed source: this review, decided."""

    endorsement: Endorsement
    review: Ref
    verdict: ReviewVerdict
