"""From the text of a project file to a ProjectSpec, with every mistake named by line and column."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from drivetrain.core.errors import InvalidInput
from drivetrain.core.pack import PackSpec
from drivetrain.core.project import ProjectSpec

Path = tuple[str | int, ...]
S = TypeVar("S", bound=BaseModel)
_LOADER = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
_DEEPEST = 40


def parse_project(text: str, where: str = "drivetrain.yaml") -> ProjectSpec:
    """The spec that the YAML text declares.

    Raises InvalidInput that lists each mistake with its line and column, the nearest known key for an unknown one,
    and what was expected.
    """
    return _parsed(text, ProjectSpec, where)


def parse_pack(text: str, where: str) -> PackSpec:
    """What the YAML text says of a pack. Raises InvalidInput that lists each mistake with its line and column."""
    try:
        return _parsed(text, PackSpec, where)
    except InvalidInput as error:
        hint = "correct the pack; docs/packs/README.md says what belongs into it"
        raise InvalidInput("pack_invalid", error.message, where=error.where, hint=hint) from None


def _parsed(text: str, model: type[S], where: str) -> S:
    root = _compose(text, where)
    value = _plain(root, where)
    if not isinstance(value, dict):
        raise InvalidInput(
            "project_not_a_mapping",
            "the file is not a mapping of sections",
            where=where,
            hint="start with `project: my-name`; `drivetrain init` writes one that works",
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [_explain(detail, root, where, model) for detail in error.errors()[:10]]
        rest = len(error.errors()) - len(problems)
        more = f"\n  and {rest} more" if rest > 0 else ""
        count = error.error_count()
        raise InvalidInput(
            "project_invalid",
            f"{count} mistake{'s' if count > 1 else ''} in the file\n  " + "\n  ".join(problems) + more,
            where=where,
            hint="correct the lines above; `drivetrain schema` prints the JSON schema for your editor",
        ) from None


def _compose(text: str, where: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise InvalidInput(
            "yaml_invalid", f"not valid YAML: {error.problem or error.context}", where=place, hint="check the indent"
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidInput("yaml_invalid", f"not valid YAML: {str(error).splitlines()[0]}", where=where) from None
    if root is None:
        raise InvalidInput(
            "yaml_empty", "the file is empty", where=where, hint="`drivetrain init` writes one that works"
        )
    return root


def _plain(root: yaml.Node, where: str) -> object:
    """The plain value of a YAML tree; refuses aliases that repeat, keys given twice, and trees too deep to be meant."""
    _check(root, where, depth=0, above=frozenset())
    loader = _LOADER("")
    try:
        return loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise InvalidInput("yaml_invalid", f"not usable YAML: {error.problem}", where=place) from None
    except ValueError as error:
        raise InvalidInput("yaml_invalid", f"not usable YAML: {error}", where=where) from None
    finally:
        loader.dispose()


def _check(node: yaml.Node, where: str, depth: int, above: frozenset[int]) -> None:
    place = f"{where}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    if depth > _DEEPEST or id(node) in above:
        raise InvalidInput("yaml_too_deep", f"nested more than {_DEEPEST} levels deep", where=place)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                line = key.start_mark.line + 1
                raise InvalidInput(
                    "key_twice",
                    f"the key {key.value!r} is given twice",
                    where=f"{where}:{line}",
                    hint="keep one of them",
                )
            seen.add(str(key.value))
            _check(child, where, depth + 1, above | {id(node)})
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _check(child, where, depth + 1, above | {id(node)})


def _explain(detail: ErrorDetails, root: yaml.Node, where: str, model: type[BaseModel]) -> str:
    path = detail["loc"]
    unknown = detail["type"] == "extra_forbidden"
    mark = _mark(root, path, key=unknown)
    place = f"{where}:{mark.line + 1}:{mark.column + 1}"
    shown = ".".join(str(part) for part in path if not _is_tag(part, root, path))
    if unknown:
        near = difflib.get_close_matches(str(path[-1]), _known_keys(path, model), n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        return f"{place}: unknown key {shown!r}{guess}"
    return f"{place}: {shown or 'the file'}: {_sentence(detail)}"


def _sentence(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    given = detail["input"]
    shown = f" (given: {str(given)[:60]!r})" if isinstance(given, str | int | float | bool) else ""
    return message[0].lower() + message[1:] + shown


def _mark(node: yaml.Node, path: Path, *, key: bool) -> yaml.Mark:
    """The mark of the node at ``path``, or of the deepest one on the way that exists."""
    mark = node.start_mark
    for position, part in enumerate(path):
        if isinstance(node, yaml.MappingNode):
            for name, child in node.value:
                if name.value == str(part):
                    last = position == len(path) - 1
                    mark, node = (name.start_mark if key and last else child.start_mark), child
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            mark = node.start_mark
    return mark


def _is_tag(part: str | int, root: yaml.Node, path: Path) -> bool:
    """Pydantic puts the chosen kind of a union into the path; a person does not see it in the file."""
    node: yaml.Node | None = root
    for step in path:
        if isinstance(node, yaml.MappingNode):
            inside = {key.value: child for key, child in node.value}
            kind = inside.get("kind")
            if step == part and part not in inside and isinstance(kind, yaml.ScalarNode) and kind.value == part:
                return True
            node = inside.get(str(step), node)
    return False


def _known_keys(path: Path, root: type[BaseModel]) -> list[str]:
    """The keys allowed where ``path`` ends, found by walking the spec classes."""
    options: list[type[BaseModel]] = [root]
    for part in path[:-1]:
        found = [field.annotation for option in options for name, field in option.model_fields.items() if name == part]
        options = [model for hint in found for model in _models(hint)] or options
    return [name for option in options for name in option.model_fields]


def _models(hint: object) -> Sequence[type[BaseModel]]:
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return (hint,)
    return tuple(model for argument in get_args(hint) for model in _models(argument))


def json_schema() -> Mapping[str, object]:
    """The JSON schema of ``drivetrain.yaml``, for editors."""
    return ProjectSpec.model_json_schema()
