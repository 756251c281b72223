"""Is this folder the release that was signed and approved? Answered offline, from its bytes and ``actors.yaml`` alone.

A release folder holds ``manifest.json`` (its SHA-256 is the digest of the release; it lists every file that the same
project and data make again), the files it lists, ``report/measurements.json`` and ``report/report.html`` (measured on
one machine), ``release.dsse.json`` (the ML engineer signs manifest and measurements) and ``approval.dsse.json``
(the AI engineer signs manifest and signature). Nothing else may lie in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from drivetrain.access.exact import decode
from drivetrain.access.keys import key_id
from drivetrain.access.sealed import SealedFolder, changed
from drivetrain.access.signatures import APPROVAL, RELEASE, Subject, subjects, unseal
from drivetrain.core.artifacts import Endorsement
from drivetrain.core.digest import SHORT, FileDigest, digest_bytes
from drivetrain.core.errors import Refused, Tampered
from drivetrain.core.lineage import Manifest, ReleasePredicate
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor, Role

MANIFEST = "manifest.json"
SIGNATURE = "release.dsse.json"
APPROVED = "approval.dsse.json"
MEASURED = ("report/measurements.json", "report/report.html")


@dataclass(frozen=True)
class VerifiedRelease:
    """A release whose every byte was checked. ``files`` are the checked bytes, all of them, by path in the folder.

    Use these bytes: whoever reads the folder again may find others there.
    """

    manifest: Manifest
    digest: str
    files: dict[str, bytes]
    predicate: ReleasePredicate
    signed: Endorsement
    approval: Endorsement | None

    @property
    def ref(self) -> Ref:
        """``release/name@digest``."""
        return Ref(Kind.RELEASE, self.manifest.name, self.digest[:SHORT])

    def part(self, folder: Literal["model", "report", "project"]) -> dict[str, bytes]:
        """The files below a folder of the release, by path inside that folder."""
        start = f"{folder}/"
        return {name.removeprefix(start): content for name, content in self.files.items() if name.startswith(start)}


def verify_release(
    folder: Path, actors: Mapping[str, Actor], *, need_approval: bool = True, expected: Ref | None = None
) -> VerifiedRelease:
    """Check a release folder against the trusted actors.

    An approval that is there is checked even when none is needed. ``expected`` is the release that must lie there.
    Raises Tampered, with the file's name, when a byte, a file or a link is not what was signed; Refused when a signer
    is not known or not of the right role, when both are one person, or when there is no approval; NotFound when there
    is no release.
    """
    with _naming(folder):
        sealed = SealedFolder.open(folder)
        verified = _check_release(sealed, actors, expected)
        return _check_approval(sealed, verified, actors, need_approval)


def check_signature(folder: Path, actors: Mapping[str, Actor], *, expected: Ref | None = None) -> VerifiedRelease:
    """Check all of a release but its approval, which is left out even when there is one. Raises as verify_release."""
    with _naming(folder):
        return _check_release(SealedFolder.open(folder), actors, expected)


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Errors name the file; here they learn the folder."""
    try:
        yield
    except (Tampered, Refused) as error:
        error.where = str(folder)
        raise


def _check_release(sealed: SealedFolder, actors: Mapping[str, Actor], expected: Ref | None) -> VerifiedRelease:
    verified = _check_contents(sealed, _check_signature(sealed, actors))
    if expected not in (None, verified.ref):
        raise Tampered("release_swapped", f"this is {verified.ref}, not {expected}", hint="fetch it again")
    return verified


@dataclass(frozen=True)
class _Signed:
    predicate: ReleasePredicate
    files: dict[str, bytes]


def _check_signature(sealed: SealedFolder, actors: Mapping[str, Actor]) -> _Signed:
    """Who signed which manifest and measurements. ``files`` are those, and the envelope."""
    envelope = sealed.read(SIGNATURE)
    statement, signer = unseal(envelope, RELEASE, SIGNATURE, actors)
    predicate = statement.predicate
    _check_endorsement(predicate.endorsement, signer, Role.ML_ENGINEER, SIGNATURE)
    files = {name: sealed.read(name) for name in (MANIFEST, *MEASURED)}
    _check_subjects(statement.subject, files)
    return _Signed(predicate, {SIGNATURE: envelope, **files})


def _check_contents(sealed: SealedFolder, signed: _Signed) -> VerifiedRelease:
    """Whether the files are those of the manifest, no more and no less, and the statement says what it says."""
    manifest = decode(signed.files[MANIFEST], Manifest, MANIFEST)
    listed = {file.path: _read_listed(sealed, file) for file in manifest.files}
    sealed.refuse_others({*listed, *signed.files, APPROVED})
    said = signed.predicate
    digest = digest_bytes(signed.files[MANIFEST])
    verified = VerifiedRelease(manifest, digest, {**signed.files, **listed}, said, said.endorsement, None)
    if (said.release, said.verdict, said.override) != (verified.ref, manifest.verdict, manifest.override):
        raise _about_another(SIGNATURE)
    if not manifest.override and (manifest.verdict == "fail" or any(gate.verdict == "fail" for gate in said.gates)):
        raise Refused(
            "gates_failed",
            f"{verified.ref} failed its gates, and no reason was given for releasing it",
            hint="release it again: `drivetrain release` names the gates",
        )
    return verified


def _check_approval(
    sealed: SealedFolder, verified: VerifiedRelease, actors: Mapping[str, Actor], needed: bool
) -> VerifiedRelease:
    if APPROVED not in sealed.names:
        if not needed:
            return verified
        raise Refused(
            "release_not_approved",
            f"{verified.ref} is not approved: there is no {APPROVED}",
            hint="`drivetrain approve` signs it as the ai-engineer",
        )
    envelope = sealed.read(APPROVED)
    statement, approver = unseal(envelope, APPROVAL, APPROVED, actors)
    said = statement.predicate
    _check_endorsement(said.endorsement, approver, Role.AI_ENGINEER, APPROVED)
    approved = subjects({name: verified.files[name] for name in (MANIFEST, SIGNATURE)})
    if (statement.subject, said.release) != (approved, verified.ref):
        raise _about_another(APPROVED)
    if approver.name == verified.signed.actor or key_id(approver) == verified.signed.key_id:
        raise Refused(
            "approved_by_signer",
            f"{approver.name} both signed and approved {verified.ref}",
            hint="it takes two people: have another ai-engineer approve it",
        )
    return replace(verified, files={**verified.files, APPROVED: envelope}, approval=said.endorsement)


def _check_endorsement(said: Endorsement, signer: Actor, role: Role, name: str) -> None:
    if signer.role is not role:
        raise Refused(
            "signer_of_another_role",
            f"{name} was signed by {signer.name}, who is {signer.role}, not {role}",
            hint=f"have somebody sign who is {role} in actors.yaml",
        )
    if (said.actor, said.role, said.key_id) != (signer.name, str(role), key_id(signer)):
        raise Refused(
            "signer_unclear",
            f"{name} speaks of {said.actor} ({said.role}), but was signed by {signer.name} ({signer.role})",
            hint="have the release signed again",
        )


def _check_subjects(stated: tuple[Subject, ...], files: Mapping[str, bytes]) -> None:
    """Raise Tampered, with the name of the file, when the ML engineer's statement is not about exactly these bytes."""
    for subject, found in zip(stated, subjects(files), strict=False):
        if subject != found:
            raise changed(found.name)
    if len(stated) != len(files):
        raise _about_another(SIGNATURE)


def _read_listed(sealed: SealedFolder, promised: FileDigest) -> bytes:
    content = sealed.read(promised.path, promised.size)
    if len(content) != promised.size or digest_bytes(content) != promised.sha256:
        raise changed(promised.path)
    return content


def _about_another(name: str) -> Tampered:
    return Tampered("statement_of_another", f"{name} is about another release", hint="fetch it again")
