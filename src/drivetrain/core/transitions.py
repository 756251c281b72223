"""From a standing Deployment to the next one: every step a rollout may take, as a pure function.

Whoever takes the step (the command line, the live judge of the server) enters the result with ``Catalog.follow``, which
refuses it when somebody else took a step meanwhile. Each function raises InvalidInput when the step cannot be taken.
"""

from __future__ import annotations

from drivetrain.core.artifacts import Deployment, TrafficShare
from drivetrain.core.errors import InvalidInput
from drivetrain.core.refs import Ref
from drivetrain.core.rollout import CanaryRule


def to_full(
    standing: Deployment | None, service: str, target: str, release: Ref, actor: str, at: str, reason: str
) -> Deployment:
    """One release answers everything from now on; a trial that runs and all shadows end."""
    version, since = (standing.version + 1, max(at, standing.at)) if standing is not None else (1, at)
    shares = (TrafficShare(release, 1.0),)
    return Deployment(service, version, target, shares, actor, since, (release,), reason=reason)


def with_shadow(standing: Deployment, release: Ref, share: float, actor: str, at: str, reason: str) -> Deployment:
    """The release gets a copy of ``share`` of the rows, 0 < share <= 1, and never answers; the rest stays as it is."""
    if not 0 < share <= 1:
        raise _share_outside(standing, share, "above 0 and at most 1")
    _not_champion(standing, release)
    if release == standing.challenger:
        raise InvalidInput(
            "already_on_trial",
            f"{release} answers {standing.shares[1].share:g} of the traffic already: it cannot be a shadow too",
            where=str(standing.ref),
            hint="`drivetrain promote` or `drivetrain rollback` ends the trial",
        )
    shadows = (*_others(standing, release), TrafficShare(release, share))
    return _next(standing, standing.shares, shadows, standing.canary, actor, at, reason)


def with_canary(
    standing: Deployment, release: Ref, share: float, rule: CanaryRule, actor: str, at: str, reason: str
) -> Deployment:
    """The release answers ``share`` of the traffic, 0 < share < 1, judged by ``rule``; the champion answers the rest.

    A shadow of the same release ends, the other shadows stay.
    """
    if not 0 < share < 1:
        raise _share_outside(standing, share, "above 0 and below 1")
    _not_champion(standing, release)
    if standing.challenger is not None:
        raise InvalidInput(
            "trial_running",
            f"{standing.challenger} is on trial: a service tries one challenger at a time",
            where=str(standing.ref),
            hint="`drivetrain promote` lets it answer everything, `drivetrain rollback` ends its trial",
        )
    shares = (TrafficShare(standing.champion, 1 - share), TrafficShare(release, share))
    return _next(standing, shares, _others(standing, release), rule, actor, at, reason)


def promoted(standing: Deployment, actor: str, at: str, reason: str) -> Deployment:
    """The challenger on trial becomes the champion and answers everything, alone."""
    if standing.challenger is None:
        raise InvalidInput(
            "no_trial",
            "there is nothing to promote: no challenger answers a share of the traffic",
            where=str(standing.ref),
            hint="`drivetrain deploy RELEASE --canary 0.1` starts a trial",
        )
    return _alone(standing, standing.target, standing.challenger, actor, at, reason)


def without_trial(standing: Deployment, actor: str, at: str, reason: str) -> Deployment:
    """The champion answers everything, alone: the trial and all shadows end."""
    if len(standing.releases) == 1:
        raise InvalidInput(
            "no_trial",
            f"there is no trial to end: {standing.champion} answers alone",
            where=str(standing.ref),
            hint="`drivetrain deployments` shows what served before; `drivetrain rollback` goes back to it",
        )
    return _alone(standing, standing.target, standing.champion, actor, at, reason)


def rolled_back(standing: Deployment, earlier: Deployment, actor: str, at: str, reason: str) -> Deployment:
    """The champion of an earlier deployment answers everything again, alone, where it did then."""
    if earlier.name != standing.name:
        raise InvalidInput(
            "deployment_of_other_service",
            f"{earlier.ref} is a deployment of another service than {standing.ref}",
            hint=f"`drivetrain deployments` lists those of {standing.name}",
        )
    following = _alone(standing, earlier.target, earlier.champion, actor, at, reason)
    if (following.target, following.shares, following.shadows) == (standing.target, standing.shares, standing.shadows):
        raise InvalidInput(
            "already_serving",
            f"{earlier.champion}, the champion of {earlier.ref}, answers everything already",
            where=str(standing.ref),
            hint="`drivetrain deployments` shows what served before; choose with --to deployment/SERVICE@VERSION",
        )
    return following


def _alone(standing: Deployment, target: str, release: Ref, actor: str, at: str, reason: str) -> Deployment:
    return to_full(standing, standing.name, target, release, actor, at, reason)


def _next(
    standing: Deployment,
    shares: tuple[TrafficShare, ...],
    shadows: tuple[TrafficShare, ...],
    canary: CanaryRule | None,
    actor: str,
    at: str,
    reason: str,
) -> Deployment:
    """The next version. A history's time never runs backwards, though a machine's clock may."""
    parents = tuple(dict.fromkeys(each.release for each in (*shares, *shadows)))
    return Deployment(
        standing.name, standing.version + 1, standing.target, shares, actor, max(at, standing.at), parents,
        shadows, canary, reason,
    )  # fmt: skip


def _others(standing: Deployment, release: Ref) -> tuple[TrafficShare, ...]:
    return tuple(shadow for shadow in standing.shadows if shadow.release != release)


def _not_champion(standing: Deployment, release: Ref) -> None:
    if release == standing.champion:
        raise InvalidInput(
            "challenger_is_champion",
            f"{release} is the champion already: it cannot be tried against itself",
            where=str(standing.ref),
            hint="name another release; `drivetrain ls release` lists them",
        )


def _share_outside(standing: Deployment, share: float, allowed: str) -> InvalidInput:
    return InvalidInput(
        "share_outside", f"a share of {share:g} cannot be given: it must be {allowed}", where=str(standing.ref),
        hint="0.1 is every tenth row",
    )  # fmt: skip
