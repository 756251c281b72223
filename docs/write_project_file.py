"""Writes docs/project-file.md from the classes that parse drivetrain.yaml: ``python docs/write_project_file.py``.

A test holds that the page is what this makes.
"""

import re
import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import annotated_types
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from drivetrain.core.project import ProjectSpec

PAGE = Path(__file__).parent / "project-file.md"
HEAD = """\
# The project file

`drivetrain.yaml` says what a project is: where its data comes from, what its features are, what may be learned, what
a model must prove, how it is served and watched. It is parsed once; an unknown key, a wrong type or a value out of
range is refused with file, line, column and, where there is one, the nearest key that exists. `drivetrain schema`
prints the JSON schema for your editor. A file that works: `drivetrain init my-risk --pack risk`.

Paths are relative to the project file. What YAML cannot say is Python: a learner or a gate of your own is
`file.py:function`, and every section can be made in Python as the class of that name in `drivetrain.core.project`,
`core.sources`, `core.outlets`, `core.contract` or `core.service`.

<!-- Written by docs/write_project_file.py from the classes in drivetrain/core. Change those, then run it. -->
"""
_PLAIN = {str: "text", int: "whole number", float: "number", bool: "true / false", AwareDatetime: "moment"}


def render() -> str:
    """The whole page."""
    found = sections()
    titles = {spec: title(paths, spec) for spec, paths in found.items()}
    return HEAD + "".join(f"\n{section(titles, spec)}" for spec in found)


def sections() -> dict[type[BaseModel], list[str]]:
    """Every section of the file in the order of the file, and the paths at which it may stand."""
    queue: list[tuple[str, type[BaseModel]]] = [("", ProjectSpec)]
    found: dict[type[BaseModel], list[str]] = {}
    while queue:
        path, spec = queue.pop(0)
        paths = found.setdefault(spec, [])
        if path not in paths:
            paths.append(path)
        inner = [
            (f"{path}.{name}{below}".strip("."), model)
            for name, field in spec.model_fields.items()
            for below, model in models(field.annotation)
        ]
        queue = inner + queue
    return found


def models(hint: object, below: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """The specs inside a type, and what stands between the key and them: ``.NAME`` of a mapping, ``[]`` of a list."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield below, hint
        return
    deeper = {dict: ".NAME", tuple: "[]"}.get(typing.get_origin(hint), "")
    for argument in typing.get_args(hint):
        yield from models(argument, below + deeper)


def title(paths: list[str], spec: type[BaseModel]) -> str:
    """The heading of a section."""
    kind = spec.model_fields.get("kind")
    chosen = f" of `kind: {typing.get_args(kind.annotation)[0]}`" if kind else ""
    return ", ".join(f"`{path}`" for path in paths) + chosen if paths[0] else "The whole file"


def section(titles: dict[type[BaseModel], str], spec: type[BaseModel]) -> str:
    """One section: its heading, what it is for, its keys; first those that have to be there."""
    lines = [f"## {titles[spec]}", "", about(spec), "", "| key | type | default | meaning |", "|---|---|---|---|"]
    fields = sorted(spec.model_fields.items(), key=lambda named: not named[1].is_required())
    lines += [row(titles, name, field) for name, field in fields if name != "kind"]
    return "\n".join(lines) + "\n"


def about(spec: type[BaseModel]) -> str:
    """What a section is for, on one line."""
    return " ".join((spec.__doc__ or "").replace("``", "`").split())


def row(titles: dict[type[BaseModel], str], name: str, field: FieldInfo) -> str:
    """One key; the type of a section links to it."""
    inner = [model for _, model in models(field.annotation)]
    kind = " or ".join(f"[{words(model)}](#{anchor(titles[model])})" for model in inner)
    kind = (kind and words(field.annotation).replace("section", kind)) or words(field.annotation)
    meaning = field.description or (about(inner[0]).partition(". ")[0].rstrip(".") + "." if len(inner) == 1 else "")
    cells = (f"`{name}`", kind + limits(field.metadata), default(field, section=bool(inner)), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def anchor(heading: str) -> str:
    """The address of a heading on its page, as GitHub and most renderers make it."""
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def default(field: FieldInfo, *, section: bool) -> str:
    """What holds when the key is not given."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if section and value is None:
        return "off"
    if isinstance(value, BaseModel) and not value.model_fields_set:
        return "its defaults"
    return f"`{shown(value)}`" if value is not None else ""


def shown(value: object) -> str:
    """A value, as YAML would say it."""
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
        return "{" + ", ".join(f"{name}: {shown(item)}" for name, item in fields.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(shown, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value) or '""'


def words(hint: object) -> str:
    """A type in the words of the page."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return words(arguments[0]) + limits(arguments[1:])
    if origin is typing.Literal:
        return " / ".join(f"`{value}`" for value in arguments)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(dict.fromkeys(words(argument) for argument in arguments if argument is not type(None)))
    if origin is dict:
        return f"NAME: {words(arguments[1])}"
    if origin is tuple:
        return f"list of {words(arguments[0])}"
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return " / ".join(f"`{value}`" for value in hint)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return "section"
    return _PLAIN[hint]


def limits(metadata: typing.Iterable[object]) -> str:
    """The range of a number."""
    flat = [part for each in metadata for part in (each.metadata if isinstance(each, FieldInfo) else [each])]
    at = annotated_types
    signs = ((at.Gt, "gt", ">"), (at.Ge, "ge", ">="), (at.Lt, "lt", "<"), (at.Le, "le", "<="))
    found = [f"{sign} {getattr(part, name):g}" for part in flat for kind, name, sign in signs if isinstance(part, kind)]
    return f" ({', '.join(found)})" if found else ""


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
