"""What goes into a release: the files, checked against the artefacts they belong to, and the manifest of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from drivetrain.access.verification import MEASURED
from drivetrain.core.artifacts import Deployment, Features, Model, Report
from drivetrain.core.decoding import read_json
from drivetrain.core.digest import FileDigest, digest_bytes, digest_of
from drivetrain.core.errors import InvalidInput, NotFound, Refused, Tampered
from drivetrain.core.lineage import Ancestor, Code, Lineage, Manifest
from drivetrain.core.model import Environment
from drivetrain.core.refs import Ref
from drivetrain.release.code import git_state
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import check_files, digests, read_folder

DIFF = "code.diff"
_REPORT = "report.json"
_VALIDATE = "run `drivetrain validate --force`"


@dataclass(frozen=True)
class ProjectState:
    """The project at the time of a release: its name, its own files by path, and the state of its code."""

    name: str
    files: Mapping[str, bytes]
    code: Code


def project_state(name: str, home: Path, files: Mapping[str, bytes]) -> ProjectState:
    """The state of the project in ``home``. ``files`` are those that make it what it is; a diff is added to them."""
    code, diff = git_state(home)
    return ProjectState(name, {**files, DIFF: diff} if diff else files, code)


def collect(project: ProjectState, model: Model, report: Report, catalog: Catalog) -> dict[str, bytes]:
    """The files of the release by their path in it. Raises Tampered when they are not what the artefacts say."""
    if model.ref not in report.parents:
        raise Refused("report_of_another_model", f"{report.ref} is not about {model.ref}", hint=_VALIDATE)
    model_files = _read(catalog.folder(model.ref), model.ref)
    check_files(model_files, model.files, str(model.ref))
    report_files = _report_files(report, catalog)
    return {
        **{f"model/{name}": content for name, content in model_files.items()},
        **{f"report/{name}": content for name, content in report_files.items()},
        **{f"project/{_inside(name)}": content for name, content in project.files.items()},
    }


def make_manifest(
    project: ProjectState, model: Model, report: Report, override: str, files: Mapping[str, bytes], catalog: Catalog
) -> Manifest:
    """The manifest of the files that the same project and data make again: all but what was measured by the clock."""
    again = {name: content for name, content in files.items() if name not in MEASURED}
    environment = read_json(files["model/environment.json"], Environment)
    ancestors = (report.ref, *catalog.ancestors(report.ref))
    lineage = Lineage(
        ancestors=tuple(_ancestor(ref, catalog) for ref in ancestors),
        sql=_sql(model, catalog),
        code=project.code,
        environment=environment,
    )
    return Manifest(project.name, report.verdict, override, digests(again), lineage)


def _read(folder: Path, ref: Ref) -> dict[str, bytes]:
    if not folder.is_dir():
        raise NotFound("folder_missing", f"the files of {ref} are gone", where=str(folder), hint="make it again")
    return read_folder(folder)


def _report_files(report: Report, catalog: Catalog) -> dict[str, bytes]:
    found = _read(catalog.folder(report.ref), report.ref)
    wanted = (_REPORT, *(path.removeprefix("report/") for path in MEASURED))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Tampered("file_missing", f"{missing[0]} is missing", where=str(report.ref), hint=_VALIDATE)
    if digest_bytes(found[_REPORT]) != report.digest:
        raise Tampered("file_changed", f"{_REPORT} was changed since", where=str(report.ref), hint=_VALIDATE)
    golden = _golden(found[_REPORT], report.ref)
    batch = {name: content for name, content in found.items() if name not in wanted}
    check_files(batch, golden, str(report.ref))
    return {name: found[name] for name in wanted} | batch


class _Proof(msgspec.Struct):
    """What a release needs to know of ``report.json``."""

    golden: tuple[FileDigest, ...] = ()


def _golden(proof: bytes, ref: Ref) -> tuple[FileDigest, ...]:
    """The files of the golden batch. Raises Refused without any, since nothing could be held against the server."""
    try:
        golden = read_json(proof, _Proof).golden
    except msgspec.DecodeError:
        golden = ()
    if not golden:
        raise Refused(
            "golden_batch_missing",
            f"{ref} holds no golden batch: the model is not safe to load or does not score it, or the report is old",
            where=str(ref),
            hint=f"{_VALIDATE}; an override cannot stand in for it",
        )
    return golden


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or not name:
        raise InvalidInput(
            "path_outside_project",
            f"{name!r} does not lie in the project",
            hint="move the file into the project's folder, so that a release can hold it",
        )
    return name


def _ancestor(ref: Ref, catalog: Catalog) -> Ancestor:
    artifact = catalog.find(ref)
    return Ancestor(ref, digest_of(artifact) if isinstance(artifact, Deployment) else artifact.digest)


def _sql(model: Model, catalog: Catalog) -> tuple[FileDigest, ...]:
    found = (catalog.find(ref) for ref in catalog.ancestors(model.ref))
    return tuple(file for artifact in found if isinstance(artifact, Features) for file in artifact.sql)
