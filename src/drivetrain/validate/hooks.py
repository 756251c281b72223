"""Gates of one's own: a function in the project that takes the evidence and returns a number."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import cast

from drivetrain.core.artifacts import Estimate
from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.core.plugins import load_hook
from drivetrain.core.project import HookGate
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, attempt, exact, judge, merged

Hook = Callable[[Evidence], float | Estimate]


def custom(evidence: Evidence) -> Finding:
    """Each custom gate of the project file, under its name: one that cannot run does not hide the others."""
    gates = evidence.spec.custom.items()
    return merged(attempt(f"custom:{name}", partial(_custom, evidence, name, gate)) for name, gate in gates)


def _custom(evidence: Evidence, name: str, gate: HookGate) -> Finding:
    answer = _ask(evidence, gate.hook)
    if not isinstance(answer, Estimate):
        if isinstance(answer, bool) or not isinstance(answer, Real):
            raise InvalidInput("hook_answer", f"{gate.hook} returned {answer!r}", hint="return a number or an Estimate")
        answer = exact(name, float(answer), len(evidence.truth))
    return Finding((judge(f"custom:{name}", answer, gate.bound, gate.hook),))


def _ask(evidence: Evidence, hook: str) -> object:
    try:
        return cast(Hook, load_hook(hook, evidence.home))(evidence)
    except DrivetrainError:
        raise
    except Exception as error:  # a person's own code may raise anything; its gate fails with what it said
        message = f"{hook} raised {type(error).__name__}: {error}"
        raise InvalidInput("hook_failed", message, hint="correct the hook") from error
