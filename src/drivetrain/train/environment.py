"""The Python and the libraries that make a model, as they stand in ``environment.json``."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from drivetrain.core.model import Environment

_LIBRARIES = ("drivetrain", "numpy", "onnx", "optuna", "scikit-learn", "scipy", "skl2onnx", "xgboost", "xgboost-cpu")


def environment(more: Iterable[str] = ()) -> Environment:
    """Versions of what is installed of the libraries that take part, and of ``more``, by the names to install."""
    return Environment(platform.python_version(), tuple(_installed([*_LIBRARIES, *sorted({*more} - {*_LIBRARIES})])))


def _installed(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        try:
            yield f"{name}=={version(name)}"
        except PackageNotFoundError:
            continue  # xgboost comes under one of two names
