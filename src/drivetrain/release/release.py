"""A Release: what the ML engineer signs, and the AI engineer approves. Made again from the same parts, it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drivetrain.access.exact import encode
from drivetrain.access.keys import Signer
from drivetrain.access.signatures import APPROVAL, RELEASE, seal, state
from drivetrain.access.verification import (
    APPROVED,
    MANIFEST,
    MEASURED,
    SIGNATURE,
    VerifiedRelease,
    check_signature,
    verify_release,
)
from drivetrain.core.artifacts import Endorsement, Model, Release, Report
from drivetrain.core.digest import SHORT, digest_bytes
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Tampered, examples
from drivetrain.core.lineage import ApprovalPredicate, Manifest, ReleasePredicate
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor, Role
from drivetrain.release.bundle import ProjectState, collect, make_manifest
from drivetrain.store.catalog import Catalog, now
from drivetrain.store.folders import write_file, write_folder

_LONGEST = 4000


def release(
    project: ProjectState,
    model: Model,
    report: Report,
    signer: Signer,
    catalog: Catalog,
    actors: Mapping[str, Actor],
    *,
    override: str = "",
) -> Release:
    """Bundle a model with its proof and origin, and sign it as the ML engineer.

    ``override`` is the reason for releasing in spite of failed gates; without any it is not recorded. The same parts
    give the same digest: a release that lies there and still verifies is returned as it is, with its approval.
    Raises Refused for failed gates, Forbidden for a signer who may not, Tampered when parts are not what they were.
    """
    _check_signer(signer, actors, Role.ML_ENGINEER)
    reason = _check_gates(report, _text(override, "the reason"))
    files = collect(project, model, report, catalog)
    manifest = make_manifest(project, model, report, reason, files, catalog)
    files[MANIFEST] = encode(manifest)
    ref = Ref(Kind.RELEASE, project.name, digest_bytes(files[MANIFEST])[:SHORT])
    folder = catalog.folder(ref)
    try:
        verified = verify_release(folder, actors, need_approval=False, expected=ref)
    except (NotFound, Refused, Tampered):
        files[SIGNATURE] = _sign(files, manifest, report, ref, signer)
        write_folder(folder, files)
        verified = verify_release(folder, actors, need_approval=False, expected=ref)
    return _artifact(verified, (model.ref, report.ref))


def approve(release: Release, signer: Signer, comment: str, catalog: Catalog, actors: Mapping[str, Actor]) -> Release:
    """Agree to a release as the AI engineer, who must be another person with another key than its signer.

    A release that is approved already is returned as it is; an approval that no longer verifies is replaced.
    Raises Forbidden for an approver who may not, Tampered or Refused when the release itself does not verify.
    """
    folder = catalog.folder(release.ref)
    _check_signer(signer, actors, Role.AI_ENGINEER)
    verified = check_signature(folder, actors, expected=release.ref)
    _check_other_person(signer, verified)
    try:
        approved = verify_release(folder, actors)
    except (Refused, Tampered):
        said = ApprovalPredicate(_endorsement(signer, _text(comment, "the comment")), release.ref)
        statement = state(APPROVAL, {name: verified.files[name] for name in (MANIFEST, SIGNATURE)}, said)
        # The unfinished file must not lie in the release: a kill would leave a file there that nobody signed.
        write_file(folder / APPROVED, seal(statement, signer), beside=folder.parent)
        approved = verify_release(folder, actors)
    return replace(release, approval=approved.approval)


def _sign(files: Mapping[str, bytes], manifest: Manifest, report: Report, ref: Ref, signer: Signer) -> bytes:
    said = ReleasePredicate(_endorsement(signer), ref, manifest.verdict, manifest.override, report.gates)
    return seal(state(RELEASE, {name: files[name] for name in (MANIFEST, *MEASURED)}, said), signer)


def _artifact(verified: VerifiedRelease, parents: tuple[Ref, ...]) -> Release:
    manifest = verified.manifest
    return Release(
        name=manifest.name,
        digest=verified.digest,
        verdict=manifest.verdict,
        override=manifest.override,
        signed=verified.signed,
        approval=verified.approval,
        parents=parents,
    )


def _endorsement(signer: Signer, comment: str = "") -> Endorsement:
    return Endorsement(signer.actor.name, str(signer.actor.role), signer.key_id, now(), comment)


def _check_gates(report: Report, override: str) -> str:
    """The reason to record: none when every gate passed. Raises Refused when one failed and there is no reason."""
    if report.verdict == "pass" and not report.failed:
        return ""
    if not override:
        failed = examples(
            f"{gate.gate}: {gate.measured or gate.detail}, needed {gate.threshold}" for gate in report.failed
        )
        raise Refused(
            "gates_failed",
            f"{report.ref} did not pass: {failed or 'its verdict is fail'}",
            where=str(report.ref),
            hint="improve the model, or release it with --override 'the reason', which is recorded and signed",
        )
    return override


def _check_signer(signer: Signer, actors: Mapping[str, Actor], role: Role) -> None:
    if actors.get(signer.actor.name) != signer.actor:
        raise Forbidden(
            "signer_unknown",
            f"{signer.actor.name} is not in actors.yaml with this role and key",
            hint="`drivetrain actors` lists who is; nobody would accept the signature",
        )
    if signer.actor.role is not role:
        raise Forbidden(
            "signer_of_another_role",
            f"{signer.actor.name} is {signer.actor.role}; this signature must be of one who is {role}",
            hint=f"sign with the key of somebody whose role in actors.yaml is {role}",
        )


def _check_other_person(signer: Signer, verified: VerifiedRelease) -> None:
    if signer.actor.name == verified.signed.actor or signer.key_id == verified.signed.key_id:
        raise Forbidden(
            "own_release",
            f"{signer.actor.name} signed {verified.ref} and may not approve it too",
            hint="it takes two people: ask another ai-engineer",
        )


def _text(text: str, what: str) -> str:
    """A person's words without white space around them. Raises InvalidInput when they are too long or not UTF-8."""
    words = text.strip()
    try:
        size = len(words.encode())
    except UnicodeEncodeError:
        raise InvalidInput("text_invalid", f"{what} is not UTF-8", hint="type it again") from None
    if size > _LONGEST:
        raise InvalidInput("text_invalid", f"{what} is longer than {_LONGEST} bytes", hint="say it shorter")
    return words
