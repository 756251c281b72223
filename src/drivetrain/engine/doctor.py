"""What this machine lacks, and the line that mends it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from drivetrain.core.errors import DrivetrainError
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project

_PARTS = (
    ("onnxruntime", "onnxruntime", "scores models", ""),
    ("deltalake", "deltalake", "keeps the lake", ""),
    ("duckdb", "duckdb", "runs features and contracts", ""),
    ("uvloop", "uvloop", "serves predictions", ""),
    ("grpcio", "grpc", "serves the gRPC form", "grpc"),
    ("scikit-learn", "sklearn", "trains", "train"),
    ("xgboost-cpu", "xgboost", "trains", "train"),
    ("optuna", "optuna", "searches", "train"),
    ("skl2onnx", "skl2onnx", "exports models", "train"),
    ("fairlearn", "fairlearn", "compares groups", "train"),
    ("plotly", "plotly", "draws reports", "train"),
    ("mlflow-skinny", "mlflow", "tracks trials", "tracking"),
)
_LEAST_FREE_GIB = 2


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: ``ok``, ``missing`` (a part of the product does not work) or ``fail``."""

    what: str
    state: Literal["ok", "missing", "fail"]
    detail: str
    cure: str = ""


def examine(project: Path, settings: Settings) -> tuple[Finding, ...]:
    """Look at Python, the libraries, the disk, git and, if there is one, the project."""
    return (*_python(), *_libraries(), *_machine(project), *_project(project, settings))


def _python() -> Iterator[Finding]:
    found = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    good = sys.version_info >= (3, 11)
    yield Finding("python", "ok" if good else "fail", found, "" if good else "install Python 3.11 or newer")


def _libraries() -> Iterator[Finding]:
    for package, module, purpose, extra in _PARTS:
        try:
            found = version(package) if find_spec(module) else ""
        except PackageNotFoundError:
            found = "another build" if find_spec(module) else ""
        target = f"drivetrain[{extra}]" if extra else "drivetrain"
        if found:
            yield Finding(package, "ok", found)
        else:
            state: Literal["missing", "fail"] = "missing" if extra else "fail"
            yield Finding(package, state, f"not installed; {purpose}", f"pip install '{target}'")


def _machine(project: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(project if project.exists() else Path.cwd()).free / 2**30
    enough = free >= _LEAST_FREE_GIB
    yield Finding("disk", "ok" if enough else "fail", f"{free:.0f} GiB free", "" if enough else "free some disk space")
    git = shutil.which("git")
    cure = "" if git else "install git: releases then name the commit they were made from"
    yield Finding("git", "ok" if git else "missing", git or "not found", cure)


def _project(path: Path, settings: Settings) -> Iterator[Finding]:
    try:
        project = Project(path, settings).parsed()
    except DrivetrainError as error:
        yield Finding("project", "missing" if error.code == "project_not_found" else "fail", error.message, error.hint)
        return
    yield Finding("project", "ok", f"{project.spec.project} in {project.home}")
    for action in ("release", "approve"):
        try:
            yield Finding(
                f"may {action}", "ok", project.signer("release" if action == "release" else "approve").actor.name
            )
        except DrivetrainError as error:
            yield Finding(f"may {action}", "missing", error.message, error.hint)
