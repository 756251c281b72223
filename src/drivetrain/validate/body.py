"""What a report says, as data: ``report.json``. The page shows the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from drivetrain.core.artifacts import Estimate, GateResult, SplitPart, Verdict
from drivetrain.core.card import CardSpec
from drivetrain.core.digest import FileDigest, canonical_json
from drivetrain.core.refs import Ref
from drivetrain.store.pages import Chart, Json, Table


@dataclass(frozen=True)
class Section:
    """What one gate shows of its finding."""

    gate: str
    tables: tuple[Table, ...]
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class ReportBody:
    """``report.json``: the same model on the same features makes the same bytes.

    A gate that is ``timed`` stands here with its verdict only; what it measured stands in ``measurements.json``.
    ``golden`` are the files of the golden batch, none when the model could not score it.
    """

    name: str
    verdict: Verdict
    model: Ref
    model_digest: str
    features: Ref
    features_digest: str
    champion: Ref | None
    parts: tuple[SplitPart, ...]
    card: CardSpec
    metrics: tuple[Estimate, ...]
    gates: tuple[GateResult, ...]
    sections: tuple[Section, ...]
    golden: tuple[FileDigest, ...] = ()

    def encode(self) -> bytes:
        """The file's bytes."""
        plain = replace(self, gates=tuple(_untimed(gate) for gate in self.gates))
        value: Json = msgspec.to_builtins(plain, enc_hook=lambda spec: spec.model_dump(mode="json"))
        return msgspec.json.format(canonical_json(_rounded(value)), indent=1) + b"\n"


def _untimed(gate: GateResult) -> GateResult:
    return replace(gate, measured=None, detail="see measurements.json") if gate.timed else gate


def _rounded(value: Json) -> Json:
    """Eight significant digits are more than any metric has; beyond them lie differences between machines."""
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, dict):
        return {key: _rounded(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(member) for member in value]
    return value
