"""What must change in a project file when a change of a source was accepted. Whatever else is in it stays."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from drivetrain.core.changes import SourceChange
from drivetrain.core.contract import Contract
from drivetrain.core.errors import InvalidInput
from drivetrain.core.parse import parse_project


@dataclass(frozen=True)
class Edit:
    """The new text of a project file, and how it differs, as a unified diff."""

    text: str
    diff: str


def clashes(contract: Contract, changes: Sequence[SourceChange]) -> tuple[SourceChange, ...]:
    """The changes that the contract as it stands forbids."""
    return tuple(change for change in changes if _clashes(contract, change))


def edit_contract(text: str, source: str, changes: Sequence[SourceChange], file: str) -> Edit | None:
    """Let the contract of ``source`` allow ``changes`` that clash with it: a rule goes, or says the new type.

    None where that is not done by taking out lines or changing a type: then a person has to.
    """
    edited = text
    for change in changes:
        found = _edited(edited, source, change)
        if found is None:
            return None
        edited = found
    try:
        contract = parse_project(edited, where=file).sources[source].contract
    except InvalidInput:
        return None
    if clashes(contract, changes):
        return None
    before, after = text.splitlines(keepends=True), edited.splitlines(keepends=True)
    return Edit(edited, "".join(difflib.unified_diff(before, after, file, file, n=1)))


def _clashes(contract: Contract, change: SourceChange) -> bool:
    rule = contract.columns.get(change.column)
    if change.kind == "dropped":
        fresh = contract.freshness is not None and contract.freshness.column == change.column
        return rule is not None or fresh or change.column in contract.key
    return change.kind == "retyped" and rule is not None and str(rule.type) != change.new


def _edited(text: str, source: str, change: SourceChange) -> str | None:
    columns = _under(yaml.compose(text, yaml.SafeLoader), "sources", source, "contract", "columns")
    if not isinstance(columns, yaml.MappingNode):
        return None
    for key, rule in columns.value:
        if key.value == change.column:
            return _without(text, columns, key, rule) if change.kind == "dropped" else _retyped(text, rule, change.new)
    return None


def _without(text: str, columns: yaml.MappingNode, key: yaml.Node, rule: yaml.Node) -> str | None:
    """The text without the lines of a column; None where other things stand on these lines."""
    if columns.flow_style:
        return None
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: key.start_mark.line], *lines[_last_line(rule) + 1 :]])


def _retyped(text: str, rule: yaml.Node, kind: str) -> str | None:
    said = _under(rule, "type")
    if said is None:
        return None
    return text[: said.start_mark.index] + kind + text[said.end_mark.index :]


def _last_line(node: yaml.Node) -> int:
    """The line on which a node ends; the end of a block is told by what stands in it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(_last_line(value) for _, value in node.value)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max(map(_last_line, node.value))
    return int(node.end_mark.line)


def _under(node: yaml.Node | None, *path: str) -> yaml.Node | None:
    for name in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for key, value in node.value if key.value == name), None)
    return node
