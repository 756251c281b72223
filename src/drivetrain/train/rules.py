"""The rules of a project as a model keeps them: SQL, read by DuckDB's own parser, held against what the model knows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.model import InputField, OutputField, Rule, Signature
from drivetrain.core.rules import RuleSpec, RulesSpec
from drivetrain.core.schema import ColumnType
from drivetrain.core.windows import Operation, Step
from drivetrain.ops.expressions import OF_ONE
from drivetrain.ops.rules import SAID
from drivetrain.ops.sql_steps import Node, StepReader, last_name
from drivetrain.store.conditions import Conditions

_COMPARED = ("=", "<>", "<", "<=", ">", ">=")
_OF_MOMENTS = ("epoch", "hour", "isodow")
_HINT = "docs/rooms/train.md says what a rule may hold; what is left, compute in the feature SQL, as an input"

Field = InputField | OutputField


class _Operand(NamedTuple):
    """What stands on the stack: ``texts`` are those of a column of texts, or the one that is written out."""

    kind: Literal["number", "moment", "text", "written"]
    texts: tuple[str, ...] = ()


_NUMBER = _Operand("number")


def rules_of(spec: RulesSpec, signature: Signature) -> tuple[Rule, ...]:
    """The rules for a model with this signature, in the order in which they are asked.

    Raises InvalidInput that names the rule: a condition that is none or that no server can judge, a column that is no
    input, a text or a class that the model does not know.
    """
    inputs = tuple(field for field in signature.inputs if not field.of)
    before = [_Reading(f"before.{one.name}", inputs).rule(one, signature) for one in spec.before]
    said = (*SAID, *signature.outputs)
    after = [_Reading(f"after.{one.name}", inputs, said).rule(one, signature) for one in spec.after]
    return (*before, *after)


class _Reading(StepReader):
    """One rule being read; ``place`` is where it stands, ``said`` what of the model it may read beside the inputs."""

    def __init__(self, place: str, inputs: Sequence[Field], said: Sequence[Field] = ()) -> None:
        self._where = f"model.rules.{place}"
        self._fields = {field.name.lower(): field for field in (*inputs, *said)}
        self._double = {field.name.lower() for field in inputs} & {field.name.lower() for field in said}

    def rule(self, spec: RuleSpec, signature: Signature) -> Rule:
        """The rule, with its condition as steps. Raises InvalidInput."""
        if isinstance(spec.decide, str) and spec.decide not in signature.classes:
            raise self._unknown("class", spec.decide, signature.classes)
        with Conditions({field.name: field.type for field in self._fields.values()}) as conditions:
            try:
                steps = tuple(self.steps(conditions.tree(spec.when)))
                self._check(steps)
                conditions.check(spec.when)
            except ValueError as error:
                raise self._mistake(str(error)) from None
            except RecursionError:
                raise self._mistake("the condition is nested too deeply") from None
        return Rule(spec.name, spec.when, steps, spec.decide, spec.because)

    def column(self, node: Node) -> str:
        """The input, or what the model says, of that name; upper and lower case are the same."""
        said = last_name(node)
        if said.lower() not in self._fields:
            raise self._unknown("column", said, tuple(self._fields))
        if said.lower() in self._double:
            raise self._mistake(f"{said!r} is an input and also what the model says: rename the input")
        return self._fields[said.lower()].name

    def refused(self, node: Node, why: str) -> InvalidInput:
        """What no server can judge."""
        return self._mistake(f"the condition {why}")

    def _check(self, steps: Sequence[Step]) -> None:
        """Texts are only compared with texts that the model knows, moments with moments."""
        stack: list[_Operand] = []
        for step in steps:
            if step.do == "column":
                stack.append(self._operand(step.name))
            elif step.do == "text":
                stack.append(_Operand("written", (step.name,)))
            elif step.do == "number":
                stack.append(_NUMBER)
            elif step.do in OF_ONE:
                self._check_one(step.do, stack.pop())
                stack.append(_NUMBER)
            else:
                last, first = stack.pop(), stack.pop()
                self._check_two(step.do, first, last)
                stack.append(_NUMBER)

    def _operand(self, name: str) -> _Operand:
        field = self._fields[name.lower()]
        if field.type is ColumnType.TEXT:
            return _Operand("text", field.categories)
        return _Operand("moment") if field.type in (ColumnType.DATE, ColumnType.TIMESTAMP) else _NUMBER

    def _check_one(self, do: Operation, operand: _Operand) -> None:
        fits = operand.kind == "number" or do == "is_null" or (operand.kind == "moment" and do in _OF_MOMENTS)
        if not fits:
            raise self._mistake(f"{do} does not go with a {operand.kind}")

    def _check_two(self, do: Operation, first: _Operand, last: _Operand) -> None:
        kinds = {first.kind, last.kind}
        if kinds == {"text", "written"} and do in ("=", "<>"):
            column, written = (first, last) if first.kind == "text" else (last, first)
            if written.texts[0] not in column.texts:
                raise self._unknown("text", written.texts[0], column.texts)
        elif kinds != {"number"} and not (kinds == {"moment"} and do in _COMPARED):
            raise self._mistake(
                f"`{do}` does not go with a {first.kind} and a {last.kind}: texts are compared by = and <>"
            )

    def _mistake(self, what: str) -> InvalidInput:
        return InvalidInput("rule_sql", what, where=self._where, hint=_HINT)

    def _unknown(self, what: str, said: str, known: Sequence[str]) -> InvalidInput:
        near = difflib.get_close_matches(said, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the model knows {examples(known)}"
        return InvalidInput("rule_unknown", f"the model knows no {what} {said!r}", where=self._where, hint=hint)
