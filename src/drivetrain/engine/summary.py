"""One line about each kind of artefact."""

from __future__ import annotations

from drivetrain.core.artifacts import (
    Artifact,
    Dataset,
    Deployment,
    DriftReport,
    Features,
    Model,
    Release,
    Report,
    Review,
    TrafficShare,
)


def summary(artifact: Artifact) -> str:
    """The line a person wants to read: rows, scores, gates, names."""
    match artifact:
        case Dataset():
            bad = f"{artifact.quarantined:,} bad, quarantined" if artifact.quarantined else "none bad"
            return f"{artifact.rows:,} rows, {bad}"
        case Review():
            said = artifact.decision
            state = f"{said.verdict}ed by {said.said.actor}" if said else "waits for a second person"
            return f"{', '.join(map(str, artifact.changes))}: {state}"
        case Features():
            parts = ", ".join(f"{part.part} {part.rows:,}" for part in artifact.parts)
            return f"{len(artifact.inputs.columns)} inputs, {parts}"
        case Model():
            judged = "on the training rows" if artifact.learner == "code" else "cross-validated"
            return f"{artifact.learner}, {judged} {artifact.estimate}"
        case Report():
            passed = len(artifact.gates) - len(artifact.failed)
            failed = "".join(f", failed: {gate.gate}" for gate in artifact.failed)
            main = f"{artifact.metrics[0]}, " if artifact.metrics else ""
            return f"{main}{passed} of {len(artifact.gates)} gates passed{failed}"
        case Release():
            approval = f"approved by {artifact.approval.actor}" if artifact.approval else "not yet approved"
            return f"signed by {artifact.signed.actor}, {approval}"
        case Deployment():
            getting = [shown_share(share) for share in artifact.shares]
            getting += [f"shadow {shown_share(shadow)}" for shadow in artifact.shadows]
            reason = f" ({artifact.reason})" if artifact.reason else ""
            return f"{artifact.target}: {', '.join(getting)}{reason}"
        case DriftReport():
            alarms = [column.name for column in artifact.columns if column.alarm]
            moved = f": {', '.join(alarms)}" if alarms else ""
            return f"{artifact.verdict.replace('_', ' ')} over {artifact.rows:,} predictions{moved}"


def shown_share(share: TrafficShare) -> str:
    """A release and its share, as ``release/risk@3fa9c2d1e0b4 10%``."""
    return f"{share.release} {100 * share.share:.4g}%"
