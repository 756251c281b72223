"""The gate of alarms: what flags come to on machines that ran until they failed, with lead times and prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from drivetrain.core.alarms import AlarmGate
from drivetrain.core.artifacts import Estimate, GateResult
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.project import Bound
from drivetrain.ops.alarms import AlarmRule, AlarmTally, Prices
from drivetrain.ops.intervals import bootstrap_mean, wilson
from drivetrain.ops.metrics import Labels, Numbers
from drivetrain.store.pages import Bars, Cell, Chart, Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge
from drivetrain.validate.parts import numbers

_INTERVALS = (2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200)
"""Rows between two inspections by the calendar: the best of these is what alarms must beat."""
_LEAD_BARS = 10


@dataclass(frozen=True)
class Machine:
    """The rows of one machine in their order: the time left from each to its failure, and whether it is flagged."""

    left: Numbers
    flagged: Labels


@dataclass(frozen=True)
class Policy:
    """A way to decide when to inspect: its name, and what it came to with each machine."""

    name: str
    tallies: tuple[AlarmTally, ...]
    prices: Prices

    @property
    def costs(self) -> Numbers:
        """What each machine cost, [m]."""
        return np.array([tally.cost(self.prices) for tally in self.tallies])

    @property
    def leads(self) -> Numbers:
        """The times from inspections to the failures that they spared."""
        return np.array([lead for tally in self.tallies for lead in tally.leads])


def alarms(evidence: Evidence) -> Finding:
    """Failures spared, inspections for nothing, and what a machine costs less than by the best calendar.

    The calendar inspects all machines alike, as often as is cheapest on these very machines. Intervals are of machines
    drawn again. Raises InvalidInput where no machine failed.
    """
    spec = asked(evidence.spec.alarms)
    machines = _machines(evidence, spec)
    prices = Prices(spec.prices.inspection, spec.prices.repair, spec.prices.failure)
    rule = AlarmRule(prices, spec.notice, spec.horizon, spec.flags, spec.of)
    ours = _policy("alarms", rule, machines, [machine.flagged for machine in machines])
    never = _policy("never", rule, machines, [np.zeros(len(one.left), dtype=np.bool_) for one in machines])
    once = AlarmRule(prices, spec.notice, spec.horizon)
    calendars = [_policy(f"every {rows} rows", once, machines, _calendar(machines, rows)) for rows in _INTERVALS]
    best = min(calendars, key=lambda policy: float(policy.costs.mean()))
    charts = (_leads(ours.leads),) if len(ours.leads) else ()
    return Finding(tuple(_results(spec, ours, best)), (_table((ours, best, never)),), charts)


def _results(spec: AlarmGate, ours: Policy, best: Policy) -> list[GateResult]:
    failures = sum(tally.failures for tally in ours.tallies)
    if not failures:
        raise InvalidInput("no_failures", "no machine of the test part failed", where="gates.alarms.left")
    caught = wilson("failures spared", len(ours.leads), failures)
    lead = f"; half of them at least {np.median(ours.leads):g} before" if len(ours.leads) else ""
    results = [judge("alarms", caught, Bound(min=spec.min_caught), f"{len(ours.leads)} of {failures} failures{lead}")]
    if spec.max_false is not None:
        wrong = bootstrap_mean("false alarms a machine", np.array([float(one.false_alarms) for one in ours.tallies]))
        results.append(judge("alarms:false", wrong, Bound(max=spec.max_false), f"of {len(ours.tallies)} machines"))
    saved = bootstrap_mean("saved a machine", best.costs - ours.costs)
    return [*results, _saved(saved, best)]


def _saved(saved: Estimate, best: Policy) -> GateResult:
    verdict = judge("alarms:cost", saved, Bound(min=0.0, sure=True)).verdict
    detail = f"against inspections {best.name}, the cheapest calendar, at {best.costs.mean():g} a machine"
    return GateResult("alarms:cost", verdict, saved, "at least 0, by the whole interval", detail)


def _policy(name: str, rule: AlarmRule, machines: Sequence[Machine], flags: Sequence[Labels]) -> Policy:
    tallies = (
        rule.tally(np.zeros(len(one.left), dtype=np.int64), one.left, flag)
        for one, flag in zip(machines, flags, strict=True)
    )
    return Policy(name, tuple(tallies), rule.prices)


def _calendar(machines: Sequence[Machine], rows: int) -> list[Labels]:
    return [np.arange(1, len(one.left) + 1) % rows == 0 for one in machines]


def _machines(evidence: Evidence, spec: AlarmGate) -> list[Machine]:
    kept = evidence.test.kept
    for name in (spec.by, spec.order, spec.left):
        if kept is None or name not in kept.column_names:
            raise InvalidInput(
                "column_missing",
                f"the feature table keeps no column {name!r}",
                where="gates.alarms",
                hint=f"it keeps {examples(evidence.features.kept, 20)}; name it under `features.keep`",
            )
    assert kept is not None
    whose = np.unique(kept.column(spec.by).to_numpy(zero_copy_only=False), return_inverse=True)[1]
    order = np.lexsort((_rising(kept.column(spec.order)), whose))
    left = numbers(kept.column(spec.left))
    left, flagged = np.where(np.isnan(left), np.inf, left)[order], evidence.decision[order]
    ends = np.flatnonzero(np.diff(whose[order])) + 1
    return [Machine(*one) for one in zip(np.split(left, ends), np.split(flagged, ends), strict=True)]


def _rising(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The places of values in their order, [n]."""
    return np.asarray(np.unique(column.to_numpy(zero_copy_only=False), return_inverse=True)[1], dtype=np.int64)


def _table(policies: Sequence[Policy]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for policy in policies:
        failures, spared = sum(one.failures for one in policy.tallies), len(policy.leads)
        wrong = sum(one.false_alarms for one in policy.tallies)
        low, middle = (float(value) for value in np.quantile(policy.leads, [0.1, 0.5])) if spared else ("", "")
        rows.append((policy.name, spared, failures - spared, wrong, low, middle, float(policy.costs.mean())))
    header = ("inspect", "spared", "missed", "for nothing", "lead: 9 of 10 above", "half above", "cost a machine")
    note = f"{len(policies[0].tallies)} machines that the model has never seen, until each failed or its record ended."
    return Table("What inspections come to", header, tuple(rows), note)


def _leads(leads: Numbers) -> Chart:
    counts, edges = np.histogram(leads, bins=min(_LEAD_BARS, len(leads)))
    labels = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)]
    bars = Bars("failures", labels, [float(count) for count in counts])
    note = "From the inspection that an alarm led to, to the failure that it spared."
    return Chart("Lead times", (bars,), "time before the failure", "failures spared", note)
