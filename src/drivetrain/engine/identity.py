"""Who acts here: the private keys of this machine, and which of them may do what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drivetrain.access.actors import find_actor
from drivetrain.access.keys import Signer, load_signer
from drivetrain.access.policy import Action, check, roles_for
from drivetrain.core.errors import InvalidInput, NotFound, examples
from drivetrain.core.roles import Actor


def signer_for(action: Action, actors: Mapping[str, Actor], keys: Path, named: str | None) -> Signer:
    """The actor called ``named``, or the only one with a key in the folder ``keys`` whose role may do it.

    Raises Forbidden when the role may not, NotFound when no key fits, InvalidInput when several do.
    """
    if named is not None:
        actor = find_actor(actors, named)
        check(actor, action)
        return load_signer(keys, actor)
    here = [actor for actor in actors.values() if actor.name in names_here(keys)]
    for role in roles_for(action):
        able = [actor for actor in here if actor.role is role]
        if len(able) > 1:
            names = examples(actor.name for actor in able)
            raise InvalidInput("actor_unclear", f"{names} may all {action}", hint="say which one: --as NAME")
        if able:
            return load_signer(keys, able[0])
    for actor in here:
        check(actor, action)
    raise NotFound(
        "no_identity",
        "this machine holds no key of an actor of this project",
        where=str(keys),
        hint="`drivetrain actors add NAME --role ml-engineer` makes one; DRIVETRAIN_KEYS names another folder",
    )


def names_here(keys: Path) -> tuple[str, ...]:
    """Whose private keys are in the folder."""
    return tuple(sorted(path.stem for path in keys.glob("*.pem")))
