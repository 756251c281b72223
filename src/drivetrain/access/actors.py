"""``actors.yaml``: who may sign for this project, in which role, with which public key. The trust root; no secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from drivetrain.access.keys import check_actor_name, public_bytes
from drivetrain.access.policy import roles_for
from drivetrain.core.errors import InvalidInput, NotFound, Refused, examples
from drivetrain.core.roles import Actor, Role
from drivetrain.store.folders import write_file

FILE = "actors.yaml"
_HEADER = "# Who may sign for this project. Public keys only: private keys stay with their owners.\n"
_ADD = "`drivetrain actors add NAME --role ml-engineer` enters somebody"
_LARGEST = 256 * 1024
_KEYS = ("role", "public_key")


def read_actors(path: Path) -> dict[str, Actor]:
    """The actors in the file ``path``, by name.

    Raises NotFound when there is no file, InvalidInput that names the line of a mistake.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound("actors_missing", "nobody is known here", where=str(path), hint=_ADD) from None
    except OSError as error:
        raise InvalidInput("actors_unreadable", f"cannot be read: {error.strerror}", where=str(path)) from None
    if len(content) > _LARGEST:
        raise InvalidInput("actors_too_large", f"{len(content)} bytes cannot be meant", where=str(path))
    actors: dict[str, Actor] = {}
    for name, node in _items(_find(_compose(content, path), path), path):
        actors[name] = _actor(name, node, actors, path)
    return actors


def write_actors(path: Path, actors: Mapping[str, Actor]) -> None:
    """Replace the file in one step; the order of the actors stays."""
    entries = {actor.name: {"role": str(actor.role), "public_key": actor.public_key} for actor in actors.values()}
    text = yaml.safe_dump({"actors": entries}, sort_keys=False, allow_unicode=True)
    write_file(path, (_HEADER + text).encode())


def add_actor(path: Path, actor: Actor) -> None:
    """Enter an actor; the file is made when there is none. Raises InvalidInput for a name or key that is taken."""
    actors = read_actors(path) if path.exists() else {}
    check_actor_name(actor.name)
    if actor.name in actors:
        raise InvalidInput(
            "actor_exists", f"{actor.name} is known already", where=str(path), hint="remove the entry first"
        )
    try:
        public_bytes(actor.public_key)
    except ValueError as error:
        raise InvalidInput("public_key_invalid", f"the public key of {actor.name} is not one: {error}") from None
    _check_key_is_free(actor.name, actor.public_key, actors, str(path))
    write_actors(path, {**actors, actor.name: actor})


def remove_actor(path: Path, name: str) -> None:
    """Take an actor out: what they signed is refused from now on.

    Raises NotFound, and Refused for the last one who may manage actors: without one, anybody could enter themselves.
    """
    actors = read_actors(path)
    gone = find_actor(actors, name)
    kept = {key: actor for key, actor in actors.items() if key != name}
    managers = roles_for("manage_actors")
    if gone.role in managers and not any(actor.role in managers for actor in kept.values()):
        raise Refused(
            "last_to_manage",
            f"{name} is the last who may manage actors",
            where=str(path),
            hint=f"enter another one first: `drivetrain actors add NAME --role {managers[0]}`",
        )
    write_actors(path, kept)


def find_actor(actors: Mapping[str, Actor], name: str) -> Actor:
    """The actor of that name; raises NotFound that names the others."""
    if name not in actors:
        raise NotFound(
            "actor_unknown", f"{name!r} is not in actors.yaml", hint=f"known: {examples(actors) or 'nobody'}"
        )
    return actors[name]


def _compose(content: bytes, path: Path) -> yaml.Node:
    try:
        root = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else 1
        raise InvalidInput("yaml_invalid", f"not valid YAML: {error.problem}", where=f"{path}:{line}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("yaml_invalid", f"not valid YAML: {str(error)[:100]}", where=str(path)) from None
    if root is None:
        raise InvalidInput("actors_empty", "the file is empty", where=str(path), hint=_ADD)
    return root


def _find(root: yaml.Node, path: Path) -> yaml.Node:
    items = _items(root, path)
    for name, node in items:
        if name == "actors" and len(items) == 1:
            return node
    raise _mistake(root, path, "the file does not hold the one key `actors`")


def _actor(name: str, node: yaml.Node, known: Mapping[str, Actor], path: Path) -> Actor:
    values = dict(_items(node, path))
    for key, child in values.items():
        if key not in _KEYS or not isinstance(child, yaml.ScalarNode):
            raise _mistake(child, path, f"{name} has the unusable key {key[:40]!r}; known: {', '.join(_KEYS)}")
    missing = [key for key in _KEYS if key not in values]
    if missing:
        raise _mistake(node, path, f"{name} lacks {' and '.join(missing)}")
    role, key = str(values["role"].value), str(values["public_key"].value)
    if role not in list(Role):
        raise _mistake(values["role"], path, f"{name} has the role {role[:40]!r}; known: {', '.join(Role)}")
    try:
        check_actor_name(name)
        public_bytes(key)
    except (InvalidInput, ValueError):
        message = f"{name[:80]!r} is no usable name, or its public_key not the base64 of 32 raw Ed25519 bytes"
        raise _mistake(values["public_key"], path, message) from None
    _check_key_is_free(name, key, known, f"{path}:{values['public_key'].start_mark.line + 1}")
    return Actor(name, Role(role), key)


def _check_key_is_free(name: str, key: str, known: Mapping[str, Actor], where: str) -> None:
    for other in known.values():
        if other.public_key == key:
            raise InvalidInput(
                "key_shared",
                f"{name} and {other.name} have the same public key",
                where=where,
                hint="two people need two keys",
            )


def _items(node: yaml.Node, path: Path) -> list[tuple[str, yaml.Node]]:
    """The keys and values of a mapping; raises InvalidInput for anything else and for a key given twice."""
    if not isinstance(node, yaml.MappingNode):
        raise _mistake(node, path, "expected `key: value` lines here")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in found:
            raise _mistake(key, path, f"the key {str(key.value)[:40]!r} is given twice, or is not a word")
        found[str(key.value)] = value
    return list(found.items())


def _mistake(node: yaml.Node, path: Path, message: str) -> InvalidInput:
    where = f"{path}:{node.start_mark.line + 1}"
    return InvalidInput("actors_invalid", message, where=where, hint="correct the line, or bring back the last version")
