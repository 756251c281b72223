"""Let a release answer for a service. Every deployment stays in the catalog; the newest one counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from drivetrain.access.verification import VerifiedRelease, verify_release
from drivetrain.core.artifacts import Deployment, Release
from drivetrain.core.refs import Ref
from drivetrain.core.roles import Actor
from drivetrain.core.transitions import to_full
from drivetrain.deploy.targets import load_target
from drivetrain.store.catalog import Catalog, now


@dataclass(frozen=True)
class Change:
    """What is changed, who changes it, and why."""

    service: str
    actor: str
    reason: str = ""


def deploy(change: Change, release: Release, target: str, catalog: Catalog, actors: Mapping[str, Actor]) -> Deployment:
    """Let an approved release answer all requests of a service; a trial that runs ends.

    When it does already, alone and on that target, the standing deployment is returned. Raises NotFound for an unknown
    target or release, Refused when the release is not approved, Tampered, with the file's name, when it is not what
    was signed, and what the target raises when the release cannot run there.
    """
    place = load_target(target)
    verified = verified_release(release.ref, catalog, actors)
    standing = catalog.latest(Deployment, change.service)
    following = to_full(standing, change.service, target, release.ref, change.actor, now(), change.reason)
    if standing is not None and (standing.target, standing.shares, standing.shadows) == (target, following.shares, ()):
        return standing
    place.roll_out(change.service, verified)
    return following


def verified_release(ref: Ref, catalog: Catalog, actors: Mapping[str, Actor]) -> VerifiedRelease:
    """A release that may answer: approved, and every byte as signed. Raises as ``verify_release``."""
    return verify_release(catalog.folder(ref), actors, expected=ref)
