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
class Remembers(Protocol):
    """A target that has a faster way back to a release that was rolled out on it before."""

    def bring_back(self, service: str, release: VerifiedRelease) -> None:
        """Make the release answer again. Raises as ``Target.roll_out`` does."""
        ...


def bring_back(target: Target, service: str, release: VerifiedRelease) -> None:
    """Make a release that was rolled out before answer again, by the target's own way back if it has one."""
    if isinstance(target, Remembers):
        target.bring_back(service, release)
    else:
        target.roll_out(service, release)


def load_target(name: str) -> Target:
    """The target of that name. Raises NotFound that names the others, InvalidInput when it is no Target."""
    found = plugins.load("targets", name)
    target = found() if isinstance(found, type) else found
    if not isinstance(target, Target):
        raise InvalidInput(
            "target_invalid",
            f"the plugin behind the target {name!r} has no method roll_out(service, release)",
            hint="see drivetrain.deploy.targets.Target",
        )
    return target
