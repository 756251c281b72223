"""What every command shares: ``--project``, ``--json``, ``--as``, and one place where errors become exit codes."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from drivetrain.cli.exits import INTERRUPTED, exit_code
from drivetrain.cli.output import print_error
from drivetrain.core.errors import DrivetrainError, InvalidInput, Transient
from drivetrain.core.refs import Ref
from drivetrain.core.settings import Settings

if TYPE_CHECKING:
    from drivetrain.engine.project import Project

_PATH = click.Path(path_type=Path)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Door:
    """Who is at the door: the project file, who acts, and whether a machine reads the answer."""

    file: Path
    settings: Settings
    json: bool

    def open(self, *, parse: bool = True) -> Project:
        """The project; with ``parse=False`` its file is not read before it is needed."""
        from drivetrain.engine.project import Project

        project = Project(self.file, self.settings)
        return project.parsed() if parse else project


def command(examples: str) -> Callable[[Callable[P, R]], Callable[..., R]]:
    """Options, examples in the help and error handling for a command whose first argument is the Door."""

    def decorate(function: Callable[P, R]) -> Callable[..., R]:
        @click.option(
            "--project", "file", type=_PATH, default="drivetrain.yaml", help="The project file or its folder."
        )
        @click.option(
            "--as", "actor", metavar="NAME", help="Who acts; default DRIVETRAIN_ACTOR, or the only fitting key."
        )
        @click.option("--json", "as_json", is_flag=True, help="One JSON value instead of tables.")
        @functools.wraps(function)
        def wrapper(file: Path, actor: str | None, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> R:
            settings = Settings.read(os.environ)
            door = Door(file, replace(settings, actor=actor or settings.actor), as_json)
            return guarded(lambda: function(door, *args, **kwargs), as_json=as_json)  # type: ignore[arg-type]  # Door is P's first

        lines = "\n".join(f"  {line}" for line in examples.strip().splitlines())
        wrapper.__doc__ = f"{function.__doc__}\n\n\b\nExamples:\n{lines}"
        return wrapper

    return decorate


def guarded(action: Callable[[], R], *, as_json: bool) -> R:
    """Run it; an error is told with its next step and becomes its exit code, Ctrl+C becomes 130."""
    try:
        return action()
    except DrivetrainError as error:
        told = error
    except (BrokenPipeError, click.ClickException):
        raise  # whoever read our output has enough, or click says how the command is used
    except OSError as error:
        told = _of_the_system(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the process boundary: a defect is told as one, with its trace-back
        traceback.print_exc()
        told = DrivetrainError(
            "unexpected", f"{type(error).__name__}: {error}", hint="a defect of ours; please report it"
        )
    print_error(told, as_json=as_json)
    sys.exit(exit_code(told))


def _of_the_system(error: OSError) -> Transient:
    return Transient(
        "system_refused",
        f"the system refused: {error.strerror or error}",
        where=str(error.filename or ""),
        hint="mend it (disk space, permissions, a port) and run the same command again; nothing is half-written",
    )


class RefType(click.ParamType[Ref]):
    """``kind/name@version`` on the command line."""

    name = "ref"

    def convert(self, value: str | Ref, param: click.Parameter | None, ctx: click.Context | None) -> Ref:
        """Parse it; a mistake is a usage error."""
        if isinstance(value, Ref):
            return value
        try:
            return Ref.parse(value)
        except InvalidInput as error:
            self.fail(f"{error.message}; {error.hint}", param, ctx)


REF = RefType()
