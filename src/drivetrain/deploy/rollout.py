"""The end of a trial, and the way back. Nothing heavy is imported here: who rolls back cannot wait for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drivetrain.core.artifacts import Deployment
from drivetrain.core.errors import NotFound
from drivetrain.core.roles import Actor
from drivetrain.core.transitions import promoted, rolled_back, without_trial
from drivetrain.deploy.deploy import Change, verified_release
from drivetrain.deploy.targets import bring_back
from drivetrain.store.catalog import Catalog, now


def promote(change: Change, catalog: Catalog, actors: Mapping[str, Actor]) -> Deployment:
    """The challenger on trial answers everything from now on.

    Raises InvalidInput when there is none, Refused or Tampered when it is not what was approved.
    """
    standing = standing_of(change.service, catalog)
    following = promoted(standing, change.actor, now(), change.reason or f"promoted by {change.actor}")
    return _brought_back(following, catalog, actors)


def roll_back(
    change: Change, catalog: Catalog, actors: Mapping[str, Actor], to: Deployment | None = None
) -> Deployment:
    """End the trial that runs; without one, go back to the champion before; with ``to``, to that deployment's.

    Raises NotFound when there is nothing to go back to, InvalidInput when it would change nothing, and Refused or
    Tampered when the release is not what was approved.
    """
    standing = standing_of(change.service, catalog)
    if to is None and len(standing.releases) > 1:
        tried = ", ".join(map(str, standing.releases[1:]))
        why = change.reason or f"trial of {tried} ended by {change.actor}"
        return _brought_back(without_trial(standing, change.actor, now(), why), catalog, actors)
    earlier = to or _before(standing, catalog)
    why = change.reason or f"back to {earlier.ref}"
    return _brought_back(rolled_back(standing, earlier, change.actor, now(), why), catalog, actors)


def standing_of(service: str, catalog: Catalog) -> Deployment:
    """What serves now. Raises NotFound."""
    newest = catalog.latest(Deployment, service)
    if newest is None:
        raise NotFound(
            "no_deployment", "nothing is deployed yet", where=str(catalog.home), hint="run `drivetrain deploy`"
        )
    return newest


def _brought_back(following: Deployment, catalog: Catalog, actors: Mapping[str, Actor]) -> Deployment:
    """The deployment, after its release was verified and the target has it; it ran there before."""
    verified = verified_release(following.champion, catalog, actors)
    bring_back(following.target, following.name, verified)
    return following


def _before(standing: Deployment, catalog: Catalog) -> Deployment:
    """The deployment whose champion came before the one that serves."""
    way = _way_here(catalog.deployments(standing.name))
    if len(way) < 2:
        raise NotFound(
            "nothing_before",
            f"there is no champion before {standing.champion} to go back to",
            where=str(standing.ref),
            hint="`drivetrain deployments` shows what served; `drivetrain rollback --to` goes to any of them",
        )
    return way[-2]


def _way_here(history: Iterable[Deployment]) -> list[Deployment]:
    """The champions that led to the one that serves, as a person would go back through them.

    A champion that returned takes the way back to where it was: after A, B, C and back to B, the one before is A.
    """
    way: list[Deployment] = []
    for deployment in history:
        champions = [each.champion for each in way]
        if deployment.champion in champions:
            del way[champions.index(deployment.champion) :]
        way.append(deployment)
    return way
