"""Try a challenger beside the champion: as a shadow that never answers, or as a canary that answers a share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.artifacts import Deployment, Release
from drivetrain.core.errors import Refused, examples
from drivetrain.core.roles import Actor
from drivetrain.core.rollout import CanaryRule
from drivetrain.core.transitions import with_canary, with_shadow
from drivetrain.deploy.deploy import Change, verified_release
from drivetrain.deploy.rollout import standing_of
from drivetrain.deploy.targets import load_target
from drivetrain.ops.compatibility import obstacles
from drivetrain.store.catalog import Catalog, now
from drivetrain.store.models import model_from


def shadow(change: Change, release: Release, share: float, catalog: Catalog, actors: Mapping[str, Actor]) -> Deployment:
    """The release gets a copy of that share of the rows, 0 < share <= 1, and never answers.

    Raises InvalidInput for a share or a release that cannot be tried, Refused when it is not approved or cannot take
    the champion's rows, Tampered when it is not what was signed, NotFound when nothing serves yet.
    """
    standing = standing_of(change.service, catalog)
    following = with_shadow(standing, release.ref, share, change.actor, now(), change.reason)
    return _tried_out(following, release, catalog, actors)


def canary(
    change: Change,
    release: Release,
    share: float,
    rule: CanaryRule,
    catalog: Catalog,
    actors: Mapping[str, Actor],
    gate: Callable[[], None] = lambda: None,
) -> Deployment:
    """The release answers that share of the traffic, 0 < share < 1, judged by the rule. Raises as ``shadow`` does.

    ``gate`` is called when the challenger is known to fit, before it is rolled out; what it raises ends the trial.
    """
    standing = standing_of(change.service, catalog)
    following = with_canary(standing, release.ref, share, rule, change.actor, now(), change.reason)
    return _tried_out(following, release, catalog, actors, gate)


def check_compatible(champion: VerifiedRelease, challenger: VerifiedRelease) -> None:
    """Raise Refused, with the columns, when rows made for the champion may not fit the challenger."""
    before, after = (model_from(each.part("model"), str(each.ref)).signature for each in (champion, challenger))
    found = obstacles(before, after)
    if found:
        raise Refused(
            "inputs_incompatible",
            f"{challenger.ref} cannot take what callers send to {champion.ref}: {examples(found)}",
            where="signature.json",
            hint="callers change first: deploy it outright once they send what it needs",
        )


def _tried_out(
    following: Deployment,
    release: Release,
    catalog: Catalog,
    actors: Mapping[str, Actor],
    gate: Callable[[], None] = lambda: None,
) -> Deployment:
    """The deployment, from this moment on, after the challenger was verified and rolled out on the target."""
    verified = verified_release(release.ref, catalog, actors)
    check_compatible(verified_release(following.champion, catalog, actors), verified)
    gate()
    load_target(following.target).roll_out(following.name, verified)
    return replace(following, at=max(following.at, now()))
