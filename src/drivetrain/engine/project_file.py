"""The text of a project file."""

from __future__ import annotations

from pathlib import Path

from drivetrain.core.errors import InvalidInput, NotFound


def read_project_file(path: Path) -> str:
    """What the file says. Raises NotFound when there is none, InvalidInput when it is no text."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(
            "project_not_found",
            "there is no project file",
            where=str(path),
            hint="`drivetrain init NAME --pack risk` makes a project; --project PATH names another file",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("project_unreadable", f"the project file cannot be read: {error}", where=str(path)) from None
