from __future__ import annotations

import json
import random
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from drivetrain.access.actors import remove_actor, write_actors
from drivetrain.access.keys import Signer
from drivetrain.access.verification import verify_release
from drivetrain.core.digest import digest_bytes
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Tampered
from drivetrain.core.lineage import Code
from drivetrain.core.refs import Kind
from drivetrain.core.roles import Actor, Role
from drivetrain.release.bundle import ProjectState
from drivetrain.release.release import approve
from drivetrain.store.folders import write_folder

from .conftest import BROKEN, FAILED, GATES, World, make_report


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what a release holds ---------------------------------------------------------------------------------------


def test_a_release_holds_model_proof_project_and_signature(world: World):
    made = world.release()
    assert set(_bytes(world.folder(made))) == {
        "manifest.json", "release.dsse.json",
        "model/model.onnx", "model/environment.json", "model/training.json",
        "report/report.json", "report/measurements.json", "report/report.html",
        "report/golden-rows.npy", "report/golden-scores.npy",
        "project/drivetrain.yaml",
    }  # fmt: skip
    assert made.digest == digest_bytes((world.folder(made) / "manifest.json").read_bytes())
    assert (made.name, made.verdict, made.override, made.approval) == ("risk", "pass", "", None)
    assert (made.signed.actor, made.signed.role) == ("mia", "ml-engineer")
    assert made.parents == (world.model.ref, world.report.ref)


def test_the_manifest_tells_the_whole_origin(world: World):
    made = world.release()
    manifest = verify_release(world.folder(made), world.actors, need_approval=False).manifest
    assert [str(ancestor.ref) for ancestor in manifest.lineage.ancestors] == [
        str(world.report.ref), "features/risk@1", str(world.model.ref), "dataset/loans@3",
    ]  # fmt: skip
    assert [ancestor.digest for ancestor in manifest.lineage.ancestors if ancestor.ref == world.model.ref] == [
        world.model.digest
    ]
    assert [file.path for file in manifest.lineage.sql] == ["features/spine.sql"]
    assert manifest.lineage.code == Code("0" * 40, None)
    assert manifest.lineage.environment.packages == ("numpy==2.4.0",)
    listed = {file.path for file in manifest.files}
    assert {"report/report.json", "report/golden-rows.npy", "report/golden-scores.npy"} <= listed
    assert not listed & {"report/report.html", "report/measurements.json"}


def test_the_gates_as_measured_are_signed(world: World):
    made = world.release()
    envelope = json.loads((world.folder(made) / "release.dsse.json").read_bytes())
    statement = json.loads(b64decode(envelope["payload"]))
    assert [gate["gate"] for gate in statement["predicate"]["gates"]] == ["roc_auc", "latency"]
    assert [subject["name"] for subject in statement["subject"]] == [
        "manifest.json", "report/measurements.json", "report/report.html",
    ]  # fmt: skip
    assert statement["predicate"]["release"]["version"] == made.ref.version


# --- the same again ---------------------------------------------------------------------------------------------


def test_the_same_parts_make_the_same_release_elsewhere(worlds: Callable[[Path], World], tmp_path: Path):
    one, other = worlds(tmp_path / "one"), worlds(tmp_path / "other")
    slower = replace(GATES[1], measured=replace(GATES[1].measured, value=0.9))
    other = other.but(report=make_report(other.catalog, other.model, GATES[0], slower))
    made, again = one.release("mia"), other.release("max")
    assert made.digest == again.digest
    manifests = [(world.folder(made) / "manifest.json").read_bytes() for world in (one, other)]
    assert manifests[0] == manifests[1]
    assert made.signed.actor != again.signed.actor


def test_made_again_it_is_found_and_not_signed_again(world: World):
    made = world.release()
    before = _bytes(world.folder(made))
    assert world.release() == made
    assert world.release("max") == made
    assert _bytes(world.folder(made)) == before


def test_made_again_it_keeps_its_approval(world: World):
    approved = world.approve(world.release(), comment="agreed")
    assert world.release() == approved
    assert approved.approval is not None


@pytest.mark.parametrize("name", ["model/model.onnx", "manifest.json", "release.dsse.json", "report/report.html"])
def test_what_is_broken_is_made_again(world: World, name: str):
    made = world.approve(world.release())
    file = world.folder(made) / name
    file.write_bytes(b"x" + file.read_bytes())
    again = world.release()
    assert (again.ref, again.approval) == (made.ref, None)
    verify_release(world.folder(made), world.actors, need_approval=False)


def test_a_release_by_someone_who_left_is_signed_again(world: World):
    made = world.release("max")
    remove_actor(world.catalog.home / "actors.yaml", "max")
    again = world.release("mia")
    assert (again.ref, again.signed.actor) == (made.ref, "mia")


@pytest.mark.parametrize(
    "project",
    [
        ProjectState("other", {"drivetrain.yaml": b"project: risk\n"}, Code("0" * 40, None)),
        ProjectState("risk", {"drivetrain.yaml": b"project: risk \n"}, Code("0" * 40, None)),
        ProjectState("risk", {"drivetrain.yml": b"project: risk\n"}, Code("0" * 40, None)),
        ProjectState("risk", {"drivetrain.yaml": b"project: risk\n"}, Code("1" * 40, None)),
        ProjectState("risk", {"drivetrain.yaml": b"project: risk\n"}, Code("0" * 40, "2" * 64)),
    ],
)
def test_whatever_changes_makes_another_release(world: World, project: ProjectState):
    assert world.release().digest != world.but(project=project).release().digest


# --- gates ------------------------------------------------------------------------------------------------------


def test_a_failed_gate_refuses_with_what_was_measured(world: World):
    failing = world.but(report=make_report(world.catalog, world.model, *GATES, FAILED, BROKEN))
    with pytest.raises(Refused) as error:
        failing.release()
    assert "fairness age: gap 0.3100 [0.2500, 0.3700], needed <= 0.2" in error.value.message
    assert "safety: the graph does not load, needed no code in the graph" in error.value.message
    assert "roc_auc" not in error.value.message
    assert "--override" in error.value.hint
    assert failing.catalog.latest(type(world.release()), "risk") is None


def test_white_space_is_no_reason(world: World):
    with pytest.raises(Refused):
        world.but(report=make_report(world.catalog, world.model, FAILED)).release(override=" \n\t ")


def test_an_override_is_recorded_and_signed(world: World):
    failing = world.but(report=make_report(world.catalog, world.model, *GATES, FAILED))
    made = failing.release(override="  the board accepts it until May ")
    assert (made.verdict, made.override) == ("fail", "the board accepts it until May")
    verified = verify_release(world.folder(made), world.actors, need_approval=False)
    assert verified.manifest.override == verified.predicate.override == made.override
    assert made.digest != failing.release(override="another reason").digest


def test_a_slow_machine_fails_a_timed_gate_too(world: World):
    slow = replace(GATES[1], verdict="fail")
    report = replace(make_report(world.catalog, world.model, GATES[0], slow), verdict="pass")
    with pytest.raises(Refused, match="latency"):
        world.but(report=report).release()


def test_a_reason_without_need_is_not_recorded(world: World):
    assert world.release(override="just in case") == world.release()


@pytest.mark.parametrize("reason", ["x" * 5000, "\udcff"])
def test_a_reason_that_cannot_be_kept_is_refused(world: World, reason: str):
    failing = world.but(report=make_report(world.catalog, world.model, FAILED))
    with pytest.raises(InvalidInput, match="the reason"):
        failing.release(override=reason)


# --- parts ------------------------------------------------------------------------------------------------------


def test_a_model_that_changed_since_is_refused(world: World):
    (world.catalog.folder(world.model.ref) / "model.onnx").write_bytes(b"another graph")
    with pytest.raises(Tampered, match=r"model\.onnx is not what was signed"):
        world.release()


def test_a_report_that_changed_since_is_refused(world: World):
    (world.catalog.folder(world.report.ref) / "report.json").write_bytes(b"[]")
    with pytest.raises(Tampered, match=r"report\.json was changed since"):
        world.release()


@pytest.mark.parametrize(
    "name", ["report.json", "report.html", "measurements.json", "golden-rows.npy", "golden-scores.npy"]
)
def test_a_report_with_a_file_missing_is_refused(world: World, name: str):
    (world.catalog.folder(world.report.ref) / name).unlink()
    with pytest.raises(Tampered, match=f"{name} is missing"):
        world.release()


def test_a_golden_batch_that_changed_since_is_refused(world: World):
    scores = world.catalog.folder(world.report.ref) / "golden-scores.npy"
    scores.write_bytes(scores.read_bytes()[:-1] + b"\x3e")
    with pytest.raises(Tampered, match=r"golden-scores\.npy is not what was signed"):
        world.release()


@pytest.mark.parametrize("proof", [b'{"gates": []}', b'["an old report"]'])
def test_a_report_without_a_golden_batch_is_refused_also_with_a_reason(world: World, proof: bytes):
    report = replace(world.report, digest=digest_bytes(proof), verdict="fail")
    pages = {"report.json": proof, "measurements.json": b"[]", "report.html": b"<p>"}
    write_folder(world.catalog.folder(report.ref), pages)
    with pytest.raises(Refused, match="holds no golden batch") as error:
        world.but(report=report).release(override="we need it today")
    assert error.value.code == "golden_batch_missing"


def test_the_report_of_another_model_is_refused(world: World):
    other = replace(world.model, digest="f" * 64)
    with pytest.raises(Refused, match="is not about model/risk@ffffffffffff"):
        world.but(model=other).release()


def test_a_folder_that_is_gone_is_named(world: World):
    folder = world.catalog.folder(world.model.ref)
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(NotFound, match=f"the files of {world.model.ref} are gone"):
        world.release()


@pytest.mark.parametrize("path", ["../other.sql", "/etc/passwd", "a/../../b", "", "a//b", "./a"])
def test_a_project_file_lies_in_the_project(world: World, path: str):
    project = ProjectState("risk", {path: b"select 1"}, Code(None, None))
    with pytest.raises(InvalidInput, match="does not lie in the project"):
        world.but(project=project).release()


# --- people -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ada", "eve"])
def test_only_an_ml_engineer_releases(world: World, name: str):
    with pytest.raises(Forbidden, match=f"{name} is a.*; this signature must be of one who is ml-engineer"):
        world.release(name)


def test_nobody_signs_whom_nobody_would_believe(world: World):
    remove_actor(world.catalog.home / "actors.yaml", "mia")
    with pytest.raises(Forbidden, match=r"mia is not in actors\.yaml with this role and key"):
        world.release()


def test_a_second_person_approves(world: World):
    made = world.release()
    approved = world.approve(made, comment="  looked at the slices ")
    assert approved.approval is not None
    assert (approved.approval.actor, approved.approval.role) == ("ada", "ai-engineer")
    assert approved.approval.comment == "looked at the slices"
    assert replace(approved, approval=None) == made
    assert verify_release(world.folder(made), world.actors).approval == approved.approval
    assert [path.name for path in world.folder(made).parent.iterdir()] == [made.ref.version], "no unfinished file"


def test_approved_again_it_keeps_the_first_approval(world: World):
    approved = world.approve(world.release(), comment="first")
    before = _bytes(world.folder(approved))
    assert world.approve(approved, "abe", comment="second") == approved
    assert _bytes(world.folder(approved)) == before


def test_the_approval_of_someone_who_left_is_replaced(world: World):
    approved = world.approve(world.release())
    remove_actor(world.catalog.home / "actors.yaml", "ada")
    again = world.approve(approved, "abe")
    assert again.approval is not None
    assert again.approval.actor == "abe"
    assert again.signed == approved.signed


@pytest.mark.parametrize("name", ["mia", "max", "eve"])
def test_only_an_ai_engineer_approves(world: World, name: str):
    with pytest.raises(Forbidden, match="this signature must be of one who is ai-engineer"):
        world.approve(world.release(), name)


def test_nobody_approves_their_own_release(world: World):
    """Also when they were given the other role, or another key, in between."""
    made = world.release()
    other_key, file = world.signers["eve"], world.catalog.home / "actors.yaml"
    twin = Signer(Actor("mia", Role.AI_ENGINEER, other_key.actor.public_key), other_key.private_key)
    trusted = {"first": world.signers["mia"].actor, "mia": twin.actor}
    with pytest.raises(Forbidden, match=r"mia signed .* and may not approve it too"):
        approve(made, twin, "", world.catalog, trusted)
    promoted = Signer(replace(world.signers["mia"].actor, role=Role.AI_ENGINEER), world.signers["mia"].private_key)
    write_actors(file, {"mia": promoted.actor})
    with pytest.raises(Refused, match="was signed by mia, who is ai-engineer, not ml-engineer"):
        approve(made, promoted, "", world.catalog, world.actors)


def test_nobody_approves_what_is_not_what_was_signed(world: World):
    made = world.release()
    (world.folder(made) / "model" / "model.onnx").write_bytes(b"another graph")
    with pytest.raises(Tampered, match=r"model/model\.onnx is not what was signed"):
        world.approve(made)
    assert not (world.folder(made) / "approval.dsse.json").exists()


def test_nobody_approves_one_release_in_the_place_of_another(world: World):
    made = world.release()
    other = world.but(project=replace(world.project, files={"drivetrain.yaml": b"project: other\n"})).release()
    folder = world.folder(made)
    folder.rename(folder.with_name("was"))
    world.folder(other).rename(folder)
    with pytest.raises(Tampered, match=f"this is {other.ref}, not {made.ref}"):
        world.approve(made)


def test_what_does_not_exist_cannot_be_approved(world: World):
    made = replace(world.release(), digest="0" * 64)
    with pytest.raises(NotFound, match="there is no release here"):
        world.approve(made)


# --- bytes ------------------------------------------------------------------------------------------------------


def test_a_thousand_random_changes_of_a_real_release_are_all_refused(world: World):
    """The promise of the product, on a release as ``release`` and ``approve`` leave it."""
    folder = world.folder(world.approve(world.release(), comment="agreed – ok"))
    files, actors, chance, refused = _bytes(folder), world.actors, random.Random(2), 0
    for _ in range(1000):
        name = chance.choice(sorted(files))
        content = bytearray(files[name])
        content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
        (folder / name).write_bytes(content)
        with pytest.raises((Tampered, Refused), match=name.replace(".", r"\.")):
            verify_release(folder, actors)
        refused += 1
        (folder / name).write_bytes(files[name])
    assert refused == 1000
    assert verify_release(folder, actors).ref.kind is Kind.RELEASE
