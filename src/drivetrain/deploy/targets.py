"""Where a service can run. A target is found by name under the entry points ``drivetrain.targets``, ours too."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core import plugins
from drivetrain.core.errors import InvalidInput


@runtime_checkable
class Target(Protocol):
    """A place that answers for a service. The entry point names an instance, or a class that needs no arguments."""

    def roll_out(self, service: str, release: VerifiedRelease) -> None:
        """Make the release the one that answers; doing it twice is like doing it once.

        The release was verified already; use its ``files``. Raises Refused when it cannot run there, Transient when
        the target does not answer.
        """
        ...


@runtime_checkable
class WayBack(Protocol):
    """A faster way back for one target, under the target's own name in the entry points ``drivetrain.ways_back``.

    A rollback has no time for what rolling out imports, so this is another object in a module of its own.
    """

    def bring_back(self, service: str, release: VerifiedRelease) -> None:
        """Make a release that was rolled out on the target before answer again. Raises as ``Target.roll_out`` does."""
        ...


def bring_back(target: str, service: str, release: VerifiedRelease) -> None:
    """Make a release that was rolled out on a target before answer again: by its way back, or by rolling it out."""
    found = _made(plugins.find("ways_back", target))
    if found is None:
        load_target(target).roll_out(service, release)
    elif isinstance(found, WayBack):
        found.bring_back(service, release)
    else:
        raise _invalid(target, "bring_back(service, release)", "WayBack")


def load_target(name: str) -> Target:
    """The target of that name. Raises NotFound that names the others, InvalidInput when it is no Target."""
    found = _made(plugins.load("targets", name))
    if not isinstance(found, Target):
        raise _invalid(name, "roll_out(service, release)", "Target")
    return found


def _made(found: object) -> object:
    return found() if isinstance(found, type) else found


def _invalid(name: str, method: str, protocol: str) -> InvalidInput:
    return InvalidInput(
        "target_invalid",
        f"the plugin behind the target {name!r} has no method {method}",
        hint=f"see drivetrain.deploy.targets.{protocol}",
    )
