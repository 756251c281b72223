"""Hard rules over packed rows: which of them speaks, and what becomes of the model's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.model import RULE, OutputField, Rule, Signature
from drivetrain.core.schema import ColumnType
from drivetrain.core.windows import Value
from drivetrain.ops.expressions import value_of
from drivetrain.ops.metrics import Labels, Numbers

SAID = (OutputField("score", ColumnType.NUMBER), OutputField("decision", ColumnType.BOOLEAN))
"""What a rule after the model may read, before the outputs of the signature."""
_STRANGE = "\0"
"""A text that the model does not know: unlike every text that a rule may name."""
_AS_THE_MODEL = -1.0


class RuleBook:
    """The rules of one model, which are asked in their order."""

    def __init__(self, signature: Signature, rules: Sequence[Rule]) -> None:
        self._steps = [rule.steps for rule in rules]
        read = {step.name for steps in self._steps for step in steps if step.do == "column"}
        self._inputs = [
            (at, field.name, field.categories if field.type is ColumnType.TEXT else None)
            for at, field in enumerate(signature.inputs)
            if field.name in read
        ]
        self._told = [
            (field.name, field.categories or None) for field in (*SAID, *signature.outputs) if field.name != RULE
        ]
        # behind each other: no rule, then each of them
        self._decisions = np.array([_AS_THE_MODEL, *(_decision(rule) for rule in rules)])
        self._classes = np.array([_AS_THE_MODEL, *(_class(rule, signature.classes) for rule in rules)])

    def overrule(self, rows: Numbers, score: Numbers, decision: Labels, outputs: Numbers) -> tuple[Labels, Numbers]:
        """Decisions [n] and outputs [n, E + 1] with the rules, from packed rows [n, F] and what the model alone says.

        The output that is new, the last, is the place of the rule that spoke, from 1; 0 where none did.
        """
        spoke = self._spoken(rows, (score, decision.astype(np.float64), *outputs.T))
        forced, named = self._decisions[spoke], self._classes[spoke]
        decided = np.where(forced == _AS_THE_MODEL, decision, forced == 1.0)
        outputs = np.column_stack([outputs, spoke])
        if (named != _AS_THE_MODEL).any():
            outputs[:, 0] = np.where(named == _AS_THE_MODEL, outputs[:, 0], named)
        return decided, outputs

    def _spoken(self, rows: Numbers, said: Sequence[Numbers]) -> NDArray[np.intp]:
        """Which rule speaks of each row [n], counted from 1; 0 where none does. ``said`` has a column for each told."""
        columns = {name: _values(said[at], categories) for at, (name, categories) in enumerate(self._told)}
        columns |= {name: _values(rows[:, at], categories) for at, name, categories in self._inputs}
        found = [self._first(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
        return np.array(found, dtype=np.intp)

    def _first(self, columns: Mapping[str, Value]) -> int:
        for place, steps in enumerate(self._steps, 1):
            if value_of(steps, columns):
                return place
        return 0


def _values(packed: Numbers, categories: tuple[str, ...] | None) -> list[Value]:
    """A packed column as SQL reads it; a text that the model does not know, whose code is -1, is the last one."""
    numbers = packed.tolist()
    if categories is None:
        return [None if isnan(number) else number for number in numbers]
    texts = (*categories, _STRANGE)
    return [None if isnan(number) else texts[int(number)] for number in numbers]


def _decision(rule: Rule) -> float:
    return float(rule.decide) if isinstance(rule.decide, bool) else 1.0


def _class(rule: Rule, classes: tuple[str, ...]) -> float:
    return _AS_THE_MODEL if isinstance(rule.decide, bool) else float(classes.index(rule.decide))
