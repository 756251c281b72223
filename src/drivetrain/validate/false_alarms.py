"""The gate of false alarms: how often rows are flagged that nobody calls true. It needs no label."""

from __future__ import annotations

import numpy as np

from drivetrain.core.project import Bound
from drivetrain.ops.intervals import wilson
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge

PARTS = 10


def false_alarms(evidence: Evidence) -> Finding:
    """The share of the test rows not known to be true that are flagged; and in the worst tenth of them, in order."""
    spec, flagged = asked(evidence.spec.false_alarms), evidence.decision[evidence.usual]
    rate = wilson("flagged", int(flagged.sum()), len(flagged))
    results = [judge("false_alarms", rate, Bound(max=spec.max), f"of {len(flagged):,} rows not known to be true")]
    if spec.worst_tenth is not None:
        tenths = [wilson("flagged", int(part.sum()), len(part)) for part in np.array_split(flagged, PARTS)]
        worst = max(range(PARTS), key=lambda at: tenths[at].value)
        detail = f"tenth number {worst + 1} of the rows in their order"
        results.append(judge("false_alarms:worst_tenth", tenths[worst], Bound(max=spec.worst_tenth), detail))
    return Finding(tuple(results))
