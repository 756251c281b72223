"""A new project: the files of a pack, and two identities so that a laptop can play both roles."""

from __future__ import annotations

import re
from pathlib import Path

from drivetrain.core.errors import InvalidInput
from drivetrain.core.roles import Role
from drivetrain.core.settings import Settings
from drivetrain.engine.project import Project
from drivetrain.packs.templates import write_pack

LAPTOP_ROLES = (Role.ML_ENGINEER, Role.AI_ENGINEER)


def create_project(folder: Path, pack: str, settings: Settings, name: str = "") -> Project:
    """Write the files of a pack into a folder and open the project; its name is the folder's unless given.

    Raises InvalidInput when the name cannot be one or files are there already, NotFound for an unknown pack.
    """
    project_name = name or folder.absolute().name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", project_name):
        raise InvalidInput(
            "name_invalid",
            f"{project_name!r} cannot be the name of a project",
            hint="use letters, digits, - and _, beginning with a letter",
        )
    write_pack(pack, project_name, folder)
    project = Project(folder, settings)
    for role in LAPTOP_ROLES:
        project.add_actor(role.value, role)
    return project
