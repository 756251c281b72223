from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivetrain.access.exact import encode
from drivetrain.access.keys import Signer
from drivetrain.access.signatures import APPROVAL, RELEASE, seal, state
from drivetrain.access.verification import (
    APPROVED,
    MANIFEST,
    MEASURED,
    SIGNATURE,
    check_signature,
    verify_release,
)
from drivetrain.core.digest import FileDigest, digest_bytes
from drivetrain.core.errors import DrivetrainError, NotFound, Refused, Tampered
from drivetrain.core.lineage import ApprovalPredicate
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.roles import Actor, Role
from drivetrain.store.folders import write_folder

from .conftest import PASSED, Parts, endorsement

Actors = dict[str, Actor]


def _write(tmp_path: Path, files: dict[str, bytes]) -> Path:
    write_folder(tmp_path / "made", files)
    return tmp_path / "made"


def test_a_sound_release_gives_its_bytes_and_who_stood_up_for_it(folder: Path, actors: Actors, parts: Parts):
    verified = verify_release(folder, actors, expected=parts.ref)
    assert verified.ref == parts.ref
    assert verified.digest == digest_bytes((folder / MANIFEST).read_bytes())
    assert verified.manifest == parts.manifest
    assert (verified.signed.actor, verified.signed.role) == ("mia", "ml-engineer")
    assert verified.approval is not None
    assert (verified.approval.actor, verified.approval.role) == ("ada", "ai-engineer")
    assert verified.files == parts.approved()
    assert verified.part("project") == {"sql/features.sql": b"select 1\n"}


def test_it_does_not_matter_where_the_folder_lies(folder: Path, actors: Actors, tmp_path: Path):
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert verify_release(tmp_path / "link", actors).files == verify_release(folder, actors).files


# --- bytes ------------------------------------------------------------------------------------------------------


def _changes(folder: Path, count: int, seed: int) -> Iterator[tuple[str, int, int]]:
    """Random places in the files of a folder, each file as likely as the others, and what to flip there."""
    chance = random.Random(seed)
    sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    for _ in range(count):
        name = chance.choice(sorted(sizes))
        yield name, chance.randrange(sizes[name]), chance.randrange(1, 256)


def _refusal(folder: Path, actors: Actors, change: tuple[str, int, int]) -> DrivetrainError | None:
    name, place, mask = change
    content = bytearray((folder / name).read_bytes())
    content[place] ^= mask
    before = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    try:
        verify_release(folder, actors)
    except (Tampered, Refused) as error:
        return error
    finally:
        (folder / name).write_bytes(before)
    return None


def test_a_thousand_random_changes_are_all_refused_with_the_name_of_the_file(folder: Path, actors: Actors):
    for change in _changes(folder, 1000, seed=7):
        refusal = _refusal(folder, actors, change)
        assert refusal is not None, f"this change of a byte was not seen: {change}"
        assert change[0] in str(refusal)
    verify_release(folder, actors)


@pytest.mark.parametrize("name", [SIGNATURE, APPROVED, MANIFEST])
def test_a_change_anywhere_in_what_is_read_first_is_refused(folder: Path, actors: Actors, name: str):
    size = (folder / name).stat().st_size
    for place in (*range(0, size, 4), *range(size - 200, size)):  # the end holds the key, the signature and its padding
        mask = 0x20 if place % 8 else 0x01  # the other case of a letter, or the letter beside it
        refusal = _refusal(folder, actors, (name, place, mask))
        assert refusal is not None, f"byte {place} of {name} can change by {mask}"
        assert name in str(refusal)


@pytest.mark.parametrize("extra", [b"\n", b" ", b"\0", b"{}"])
def test_bytes_at_an_end_are_refused(folder: Path, actors: Actors, extra: bytes):
    for file in [path for path in folder.rglob("*") if path.is_file()]:
        content = file.read_bytes()
        for changed in (content + extra, extra + content, content[:-1], content[1:], b""):
            file.write_bytes(changed)
            with pytest.raises(Tampered, match=file.name):
                verify_release(folder, actors)
        file.write_bytes(content)
    verify_release(folder, actors)


def test_a_refusal_names_the_file_and_the_folder(folder: Path, actors: Actors):
    (folder / "model" / "model.onnx").write_bytes(b"")
    with pytest.raises(Tampered) as error:
        verify_release(folder, actors)
    assert error.value.where == str(folder)
    assert error.value.message == "model/model.onnx is not what was signed"
    assert error.value.hint


# --- files ------------------------------------------------------------------------------------------------------


def test_a_file_that_is_gone_is_named(parts: Parts, actors: Actors, tmp_path: Path):
    for name in parts.approved():
        folder = _write(tmp_path, {path: content for path, content in parts.approved().items() if path != name})
        with pytest.raises(Refused if name == APPROVED else Tampered, match=name):
            verify_release(folder, actors)


@pytest.mark.parametrize(
    "name", ["extra.txt", "model/extra.bin", ".hidden", "project/sql/.new-abc", "model/model.onnx~"]
)
def test_a_file_that_was_added_is_named(folder: Path, actors: Actors, name: str):
    (folder / name).write_bytes(b"")
    with pytest.raises(Tampered, match=f"{name} does not belong here"):
        verify_release(folder, actors)


def test_a_folder_that_was_added_is_named(folder: Path, actors: Actors):
    (folder / "model" / "empty").mkdir()
    with pytest.raises(Tampered, match="model/empty/ does not belong here"):
        verify_release(folder, actors)


def test_a_file_that_was_renamed_is_named(folder: Path, actors: Actors):
    (folder / "model" / "model.onnx").rename(folder / "model" / "Model.onnx")
    with pytest.raises(Tampered, match=r"model/model\.onnx is missing"):
        verify_release(folder, actors)


def test_files_that_changed_places_are_named(folder: Path, actors: Actors):
    one, other = folder / "report" / "report.json", folder / "project" / "sql" / "features.sql"
    one_content, other_content = one.read_bytes(), other.read_bytes()
    one.write_bytes(other_content)
    other.write_bytes(one_content)
    with pytest.raises(Tampered, match=r"report\.json|features\.sql"):
        verify_release(folder, actors)


def test_a_link_to_the_right_bytes_is_refused(folder: Path, actors: Actors, tmp_path: Path):
    graph = folder / "model" / "model.onnx"
    graph.rename(tmp_path / "model.onnx")
    graph.symlink_to(tmp_path / "model.onnx")
    with pytest.raises(Tampered, match=r"model/model\.onnx is a link"):
        verify_release(folder, actors)


def test_a_manifest_cannot_reach_out_of_the_folder(parts: Parts, actors: Actors, tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"secret")
    outside = FileDigest("../secret", digest_bytes(b"secret"), 6)
    manifest = replace(parts.manifest, files=(*parts.manifest.files, outside))
    with pytest.raises(Tampered, match=r"\.\./secret is missing"):
        verify_release(_write(tmp_path, parts.but(manifest=manifest).approved()), actors)


def test_a_size_that_is_not_the_promised_one_is_refused(parts: Parts, actors: Actors, tmp_path: Path):
    first, *rest = parts.manifest.files
    manifest = replace(parts.manifest, files=(replace(first, size=first.size + 1), *rest))
    with pytest.raises(Tampered, match=first.path):
        verify_release(_write(tmp_path, parts.but(manifest=manifest).approved()), actors)


def test_a_manifest_with_an_unknown_key_is_refused(parts: Parts, actors: Actors, tmp_path: Path):
    files = parts.approved()
    files[MANIFEST] = files[MANIFEST].replace(b'"name": "risk"', b'"name": "risk",\n "more": 1')
    about = {name: files[name] for name in (MANIFEST, *MEASURED)}
    files[SIGNATURE] = seal(state(RELEASE, about, parts.predicate()), parts.signer)
    with pytest.raises(Tampered, match=r"manifest\.json is not what was signed"):
        verify_release(_write(tmp_path, files), actors)


def test_nothing_there_is_no_release(tmp_path: Path, actors: Actors):
    with pytest.raises(NotFound, match="no release here"):
        verify_release(tmp_path / "nowhere", actors)
    with pytest.raises(Tampered, match=r"release\.dsse\.json is missing"):
        verify_release(tmp_path, actors)


# --- people -----------------------------------------------------------------------------------------------------


def test_an_unapproved_release_is_refused_unless_that_is_fine(parts: Parts, actors: Actors, tmp_path: Path):
    folder = _write(tmp_path, parts.signed())
    with pytest.raises(Refused, match="is not approved") as error:
        verify_release(folder, actors)
    assert "drivetrain approve" in error.value.hint
    assert verify_release(folder, actors, need_approval=False).approval is None


def test_an_approval_that_is_there_is_checked_even_when_none_is_needed(folder: Path, actors: Actors):
    (folder / APPROVED).write_bytes(b"{}")
    with pytest.raises(Tampered, match=r"approval\.dsse\.json"):
        verify_release(folder, actors, need_approval=False)
    assert check_signature(folder, actors).approval is None


@pytest.mark.parametrize("gone", ["mia", "ada"])
def test_the_word_of_a_removed_actor_does_not_count(folder: Path, actors: Actors, gone: str):
    del actors[gone]
    with pytest.raises(Refused, match=r"nobody in actors\.yaml has"):
        verify_release(folder, actors)


@pytest.mark.parametrize("name", ["mia", "ada"])
def test_a_new_key_makes_old_signatures_void(folder: Path, actors: Actors, signers: dict[str, Signer], name: str):
    actors[name] = replace(actors[name], public_key=signers["eve"].actor.public_key)
    del actors["eve"]
    with pytest.raises(Refused, match=r"nobody in actors\.yaml has"):
        verify_release(folder, actors)


@pytest.mark.parametrize(("name", "file"), [("mia", SIGNATURE), ("ada", APPROVED)])
def test_a_changed_role_makes_old_signatures_void(folder: Path, actors: Actors, name: str, file: str):
    actors[name] = replace(actors[name], role=Role.AUDITOR)
    with pytest.raises(Refused, match=f"{file} was signed by {name}, who is auditor"):
        verify_release(folder, actors)


@pytest.mark.parametrize("name", ["ada", "eve"])
def test_only_an_ml_engineer_signs(parts: Parts, actors: Actors, signers: dict[str, Signer], name: str, tmp_path: Path):
    with pytest.raises(Refused, match=f"was signed by {name}, who is .*, not ml-engineer"):
        verify_release(_write(tmp_path, parts.but(signer=signers[name]).approved()), actors)


@pytest.mark.parametrize("name", ["max", "eve", "mia"])
def test_only_an_ai_engineer_approves(
    parts: Parts, actors: Actors, signers: dict[str, Signer], name: str, tmp_path: Path
):
    with pytest.raises(Refused, match=f"was signed by {name}, who is .*, not ai-engineer"):
        verify_release(_write(tmp_path, parts.but(approver=signers[name]).approved()), actors)


def _as_another(signer: Signer, name: str, role: Role) -> Signer:
    return Signer(Actor(name, role, signer.actor.public_key), signer.private_key)


def test_one_person_with_two_keys_cannot_do_both(
    parts: Parts, actors: Actors, signers: dict[str, Signer], tmp_path: Path
):
    second = _as_another(signers["eve"], "mia", Role.AI_ENGINEER)
    trusted = {"mia": actors["mia"], "mia's other key": second.actor}
    with pytest.raises(Refused, match="mia both signed and approved"):
        verify_release(_write(tmp_path, parts.but(approver=second).approved()), trusted)


def test_two_names_with_one_key_are_one_person(parts: Parts, actors: Actors, tmp_path: Path):
    second = _as_another(parts.signer, "zoe", Role.AI_ENGINEER)
    actors["zoe"] = second.actor
    with pytest.raises(Refused, match="was signed by mia, who is ml-engineer, not ai-engineer"):
        verify_release(_write(tmp_path, parts.but(approver=second).approved()), actors)


def test_nobody_speaks_in_the_name_of_another(parts: Parts, actors: Actors, signers: dict[str, Signer], tmp_path: Path):
    borrowed = replace(parts.predicate(), endorsement=endorsement(signers["max"]))
    with pytest.raises(Refused, match=r"speaks of max \(ml-engineer\), but was signed by mia"):
        verify_release(_write(tmp_path, parts.approved(borrowed)), actors)


# --- statements -------------------------------------------------------------------------------------------------


def test_the_signature_of_another_release_is_refused(parts: Parts, actors: Actors, tmp_path: Path):
    other = parts.but(manifest=replace(parts.manifest, name="other"))
    files = {**parts.approved(), SIGNATURE: other.approved()[SIGNATURE]}
    with pytest.raises(Tampered, match=r"manifest\.json is not what was signed"):
        verify_release(_write(tmp_path, files), actors)


def test_the_approval_of_another_release_is_refused(parts: Parts, actors: Actors, tmp_path: Path):
    other = parts.but(manifest=replace(parts.manifest, name="other"))
    files = {**parts.signed(), APPROVED: other.approved()[APPROVED]}
    with pytest.raises(Tampered, match=r"approval\.dsse\.json is about another release"):
        verify_release(_write(tmp_path, files), actors)


def test_an_approval_is_of_one_signature_only(parts: Parts, actors: Actors, signers: dict[str, Signer], tmp_path: Path):
    """Signed again by another ML engineer, the same manifest needs a new approval."""
    files = {**parts.but(signer=signers["max"]).signed(), APPROVED: parts.approved()[APPROVED]}
    with pytest.raises(Tampered, match=r"approval\.dsse\.json is about another release"):
        verify_release(_write(tmp_path, files), actors)


@pytest.mark.parametrize(("one", "other"), [(SIGNATURE, APPROVED), (APPROVED, SIGNATURE)])
def test_one_envelope_cannot_stand_for_the_other(parts: Parts, actors: Actors, one: str, other: str, tmp_path: Path):
    files = parts.approved()
    with pytest.raises((Tampered, Refused), match=one):
        verify_release(_write(tmp_path, {**files, one: files[other]}), actors)


def test_a_statement_says_what_the_manifest_says(parts: Parts, actors: Actors, tmp_path: Path):
    said = parts.predicate()
    elsewhere = Ref(Kind.RELEASE, "risk", "0" * 12)
    for other in (replace(said, release=elsewhere), replace(said, verdict="fail"), replace(said, override="why not")):
        with pytest.raises(Tampered, match=r"release\.dsse\.json is about another release"):
            verify_release(_write(tmp_path, parts.approved(other)), actors)


@pytest.mark.parametrize("missing", [MANIFEST, *MEASURED])
def test_a_signature_covers_all_that_the_manifest_does_not(parts: Parts, actors: Actors, missing: str, tmp_path: Path):
    files = parts.signed()
    about = {name: files[name] for name in (MANIFEST, *MEASURED) if name != missing}
    files[SIGNATURE] = seal(state(RELEASE, about, parts.predicate()), parts.signer)
    with pytest.raises(Tampered):
        verify_release(_write(tmp_path, files), actors, need_approval=False)


def test_an_approval_of_more_or_less_is_refused(parts: Parts, actors: Actors, tmp_path: Path):
    files = parts.signed()
    said = ApprovalPredicate(endorsement(parts.approver), parts.ref)
    for names in ([MANIFEST], [SIGNATURE], [MANIFEST, SIGNATURE, MEASURED[0]], []):
        envelope = seal(state(APPROVAL, {name: files[name] for name in names}, said), parts.approver)
        with pytest.raises(Tampered, match=r"approval\.dsse\.json is about another release"):
            verify_release(_write(tmp_path, {**files, APPROVED: envelope}), actors)


def test_a_failed_gate_needs_a_reason(parts: Parts, actors: Actors, tmp_path: Path):
    failed = (replace(PASSED, verdict="fail"),)
    with pytest.raises(Refused, match="failed its gates, and no reason"):
        verify_release(_write(tmp_path, parts.but(gates=failed).approved()), actors)
    manifest = replace(parts.manifest, verdict="fail")
    with pytest.raises(Refused, match="failed its gates, and no reason"):
        verify_release(_write(tmp_path, parts.but(manifest=manifest).approved()), actors)
    reasoned = parts.but(manifest=replace(manifest, override="the board decided"), gates=failed)
    assert verify_release(_write(tmp_path, reasoned.approved()), actors).manifest.override == "the board decided"


def test_another_release_cannot_take_the_place(folder: Path, parts: Parts, actors: Actors):
    expected = parts.but(manifest=replace(parts.manifest, name="other")).ref
    with pytest.raises(Tampered, match=f"this is {parts.ref}, not {expected}"):
        verify_release(folder, actors, expected=expected)


# --- garbage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [SIGNATURE, APPROVED, MANIFEST])
@pytest.mark.parametrize(
    "content", [b"[" * 1_000_000, b'{"a":' * 200_000, b"\xff\xd8\xff\xe0", b"null", b"\0" * 100, b"1e400"]
)
def test_garbage_is_refused_with_the_name_of_the_file(folder: Path, actors: Actors, name: str, content: bytes):
    (folder / name).write_bytes(content)
    with pytest.raises(Tampered, match=name):
        verify_release(folder, actors)


@pytest.mark.parametrize("name", [SIGNATURE, APPROVED, MANIFEST, "model/model.onnx", *MEASURED])
def test_a_file_without_end_is_not_read_to_its_end(folder: Path, actors: Actors, name: str):
    with (folder / name).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(Tampered, match=f"{name} is not what was signed"):
        verify_release(folder, actors)


def test_a_manifest_signed_too_deep_is_refused(parts: Parts, actors: Actors, tmp_path: Path):
    files = parts.signed()
    files[MANIFEST] = b'{"more":' + b"[" * 500_000
    about = {name: files[name] for name in (MANIFEST, *MEASURED)}
    files[SIGNATURE] = seal(state(RELEASE, about, parts.predicate()), parts.signer)
    with pytest.raises(Tampered, match=r"manifest\.json is not what was signed"):
        verify_release(_write(tmp_path, files), actors, need_approval=False)


def test_what_is_written_is_read_exactly(parts: Parts, folder: Path):
    assert (folder / MANIFEST).read_bytes() == encode(parts.manifest)


def test_verification_imports_no_data_library():
    script = (
        "import sys; import drivetrain.access.verification, drivetrain.access.actors, drivetrain.access.api_keys, "
        "drivetrain.access.policy; heavy = {'numpy', 'pyarrow', 'onnxruntime', 'deltalake', 'pydantic', 'duckdb', "
        "'sqlite3', 'jinja2'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
