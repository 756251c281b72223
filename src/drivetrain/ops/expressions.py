"""Expressions of one row or event: a few steps on a stack, with SQL's rule that what is unknown stays unknown."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from struct import Struct

from drivetrain.core.windows import OnlineFeature, Operation, Step, Value

_SINGLE = Struct("<f")
_DECIMALS = 1e6
_DAY, _HOUR = 86_400, 3_600

_OF_ONE: Mapping[Operation, Callable[[float], float]] = {
    "epoch": float,
    "hour": lambda seconds: float(seconds // _HOUR % 24),
    "isodow": lambda seconds: float((seconds // _DAY + 3) % 7 + 1),
    "abs": abs,
    "not": operator.not_,
}
_SETTLED_BY: Mapping[Operation, bool] = {"and": False, "or": True}
"""What one side has to be so that the other, known or not, no longer matters (Kleene 1938)."""
OF_ONE = (*_OF_ONE, "is_null")
"""Operations that take one value."""
_OF_TWO: Mapping[Operation, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def evaluate(feature: OnlineFeature, columns: Mapping[str, Value], windows: Sequence[float | None]) -> Value:
    """What the steps of a feature leave, given the columns of an event and the values of all windows of the plan."""
    value = value_of(feature.steps, columns, windows)
    return rounded(value) if feature.rounded and isinstance(value, float) else value


def value_of(steps: Sequence[Step], columns: Mapping[str, Value], windows: Sequence[float | None] = ()) -> Value:
    """What steps leave; see ``evaluate``."""
    if len(steps) == 1:  # most are one window or one column
        return _given(steps[0], columns, windows)
    stack: list[Value] = []
    for step in steps:
        _take(step, stack, columns, windows)
    (value,) = stack
    return value


def rounded(value: float) -> float:
    """Six decimals and single precision: the order in which numbers were added up can no longer be seen.

    The feature table is rounded in the same way, so both sides say the same.
    """
    scaled = value * _DECIMALS
    whole = scaled if abs(scaled) > 2**52 else math.copysign(math.floor(abs(scaled) + 0.5), scaled)
    try:
        single: float = _SINGLE.unpack(_SINGLE.pack(whole / _DECIMALS))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return single


def _given(step: Step, columns: Mapping[str, Value], windows: Sequence[float | None]) -> Value:
    if step.do == "window":
        return windows[int(step.number)]
    if step.do == "column":
        return columns[step.name]
    return step.name if step.do == "text" else step.number


def _take(step: Step, stack: list[Value], columns: Mapping[str, Value], windows: Sequence[float | None]) -> None:
    if step.do in ("column", "number", "text", "window"):
        stack.append(_given(step, columns, windows))
        return
    last = stack.pop()
    if step.do == "is_null":
        stack.append(float(last is None))
        return
    if step.do in _OF_ONE:
        stack.append(None if last is None else float(_OF_ONE[step.do](last)))  # type: ignore[arg-type]  # numbers
        return
    first = stack.pop()
    if step.do == "coalesce":
        stack.append(last if first is None else first)
    elif step.do in _SETTLED_BY:
        stack.append(_joined(first, last, settled=_SETTLED_BY[step.do]))
    elif first is None or last is None:
        stack.append(None)
    elif step.do == "/":
        stack.append(float(first) / float(last) if last else None)
    else:
        stack.append(float(_OF_TWO[step.do](first, last)))  # type: ignore[arg-type]  # texts are compared only


def _joined(first: Value, last: Value, *, settled: bool) -> Value:
    sides = [None if side is None else bool(side) for side in (first, last)]
    if settled in sides:
        return float(settled)
    return None if None in sides else float(not settled)
