"""The expressions around windows: a few steps on a stack, with SQL's rule that what is unknown stays unknown."""

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
}
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
    if len(feature.steps) == 1:  # most are one window or one column
        value = _given(feature.steps[0], columns, windows)
    else:
        stack: list[Value] = []
        for step in feature.steps:
            _take(step, stack, columns, windows)
        (value,) = stack
    return rounded(value) if feature.rounded and isinstance(value, float) else value


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
    if step.do in _OF_ONE:
        stack.append(None if last is None else _OF_ONE[step.do](last))  # type: ignore[arg-type]  # numbers, as in SQL
        return
    first = stack.pop()
    if step.do == "coalesce":
        stack.append(last if first is None else first)
    elif first is None or last is None:
        stack.append(None)
    elif step.do == "/":
        stack.append(float(first) / float(last) if last else None)
    else:
        stack.append(float(_OF_TWO[step.do](first, last)))  # type: ignore[arg-type]  # texts are compared only
