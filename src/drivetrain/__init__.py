"""Drivetrain carries an AI project from raw data to a governed, monitored prediction service.

>>> import drivetrain
>>> project = drivetrain.open("drivetrain.yaml")   # doctest: +SKIP
>>> project.run()                                  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from drivetrain.engine.project import Project

__all__ = ["open"]


def open(path: str | Path = "drivetrain.yaml", *, actor: str | None = None) -> Project:
    """The project of that file: its stages, artefacts and services.

    ``actor`` is who acts (default: DRIVETRAIN_ACTOR, or the only identity of this machine with the right role).
    Raises InvalidInput with line and column when the file has mistakes, NotFound when there is none.
    """
    import os
    from dataclasses import replace

    from drivetrain.core.settings import Settings
    from drivetrain.engine.project import Project

    settings = Settings.read(os.environ)
    return Project(path, replace(settings, actor=actor or settings.actor)).parsed()
