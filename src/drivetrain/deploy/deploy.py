"""A Deployment: which release answers for a service. Every deployment stays in the catalog; the newest one counts."""

from __future__ import annotations

from collections.abc import Mapping

from drivetrain.access.verification import verify_release
from drivetrain.core.artifacts import Deployment, Release, TrafficShare
from drivetrain.core.roles import Actor
from drivetrain.deploy.targets import load_target
from drivetrain.store.catalog import Catalog, now


def deploy(
    service: str, release: Release, target: str, actor: str, catalog: Catalog, actors: Mapping[str, Actor]
) -> Deployment:
    """Let an approved release answer all requests of a service.

    When it does already, on that target, the standing deployment is returned. Raises NotFound for an unknown target
    or release, Refused when the release is not approved, Tampered, with the file's name, when it is not what was
    signed, and what the target raises when the release cannot run there.
    """
    place = load_target(target)
    verified = verify_release(catalog.folder(release.ref), actors, expected=release.ref)
    standing = catalog.latest(Deployment, service)
    shares = (TrafficShare(release.ref, 1.0),)
    if standing is not None and (standing.target, standing.shares) == (target, shares):
        return standing
    place.roll_out(service, verified)
    version = standing.version + 1 if standing is not None else 1
    return Deployment(service, version, target, shares, actor, now(), (release.ref,))
