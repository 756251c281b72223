"""Gates: named checks of a model. Built-in ones and a company's own register under ``drivetrain.gates``.

The section ``gates`` of a project file asks for gates by name; ``safety`` always runs, and so does every gate that is
not part of Drivetrain: to install a gate is to ask for it, so that a house rule holds in every project.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from drivetrain.core import plugins
from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.core.errors import DrivetrainError, InvalidInput
from drivetrain.core.project import Bound, GatesSpec
from drivetrain.store.pages import Chart, Table
from drivetrain.validate.evidence import Evidence

T = TypeVar("T")
SAFETY = "safety"
_NO_GATES = ("card", "allow_code")
"""Keys of the section that are not gates of their own."""
LABEL_FREE = (SAFETY, "parity", "latency", "false_alarms", "custom")
"""Gates that judge every test row; the others judge a blind model by the rows alone that have a label."""
_ORDER = (SAFETY, "parity", *(name for name in GatesSpec.model_fields if name not in ("parity", *_NO_GATES)))


@dataclass(frozen=True)
class Finding:
    """What a gate has to say: its results (none when it does not apply), and what a reader may want to see of it."""

    results: tuple[GateResult, ...]
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


class Gate(Protocol):
    """A check of a model. Its threshold stands in ``evidence.spec``; it raises when it cannot be decided."""

    def __call__(self, evidence: Evidence) -> Finding:
        """What was found. The same evidence gives the same finding, but for a result that is ``timed``."""
        ...


def planned(spec: GatesSpec, *, blind: bool = False) -> tuple[str, ...]:
    """The names of the gates to run, in order: safety and parity first, plugins last.

    What labels judge is asked of a blind model only where the project file names it.
    """
    idle = {name for name in _ORDER if blind and name not in (*LABEL_FREE, *spec.model_fields_set)}
    asked = [name for name in _ORDER if name == SAFETY or (getattr(spec, name) and name not in idle)]
    return (*asked, *(name for name in plugins.names("gates") if name not in _ORDER))


def run_gates(evidence: Evidence) -> Iterator[tuple[str, Finding]]:
    """Run each planned gate; when the model file is not safe, nothing else touches it and every other gate fails."""
    safe = True
    for name in planned(evidence.spec, blind=evidence.features.blind):
        finding = _run(name, evidence) if safe else _failed(name, "not run: the model file is not safe")
        if name == SAFETY:
            safe = all(result.verdict == "pass" for result in finding.results)
        yield name, finding


def judge(gate: str, measured: Estimate, bound: Bound, detail: str = "") -> GateResult:
    """Hold a measured number against a bound: the number itself, or the worse end of its interval when ``sure``."""
    low, high = (measured.low, measured.high) if bound.sure else (measured.value, measured.value)
    too_low = bound.min is not None and not low >= bound.min
    too_high = bound.max is not None and not high <= bound.max
    return GateResult(gate, "fail" if too_low or too_high else "pass", measured, _words(bound), detail)


def asked(threshold: T | None) -> T:
    """The threshold that the project file gives; raises InvalidInput when it gives none."""
    if threshold is None:
        raise InvalidInput("gate_not_asked", "the project file sets no threshold for this gate")
    return threshold


def exact(name: str, value: float, rows: int) -> Estimate:
    """A number that was counted, not estimated: its interval is itself."""
    return Estimate(name, value, value, value, rows)


def _words(bound: Bound) -> str:
    least = [] if bound.min is None else [f"at least {bound.min:g}"]
    most = [] if bound.max is None else [f"at most {bound.max:g}"]
    return " and ".join(least + most) + (", by the whole interval" if bound.sure else "")


def attempt(gate: str, check: Callable[[], Finding]) -> Finding:
    """What a check finds; when it cannot run, a failed gate with the reason."""
    try:
        return check()
    except DrivetrainError as error:
        return _failed(gate, f"{error.message}{f'; {error.hint}' if error.hint else ''}")
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A check that did not run is a failed check, not a failed run: the report says so beside the others.
        return _failed(gate, f"{type(error).__name__}: {error}")


def merged(findings: Iterable[Finding]) -> Finding:
    """Several findings as one, in order."""
    parts = list(findings)
    return Finding(
        results=tuple(result for part in parts for result in part.results),
        tables=tuple(table for part in parts for table in part.tables),
        charts=tuple(chart for part in parts for chart in part.charts),
    )


def _run(name: str, evidence: Evidence) -> Finding:
    def check() -> Finding:
        gate = cast(Gate, plugins.load("gates", name))
        return gate(evidence if name in LABEL_FREE else evidence.labelled)

    return attempt(name, check)


def _failed(gate: str, reason: str) -> Finding:
    return Finding((GateResult(gate, "fail", None, "must run", reason),))
