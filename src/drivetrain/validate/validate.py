"""The stage: a model, the features it is judged on, and the gates of the project file make a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial

import msgspec

from drivetrain.core.artifacts import Estimate, Features, GateResult, Model, Report, Verdict
from drivetrain.core.digest import canonical_json, digest_bytes
from drivetrain.core.errors import InvalidInput
from drivetrain.core.events import Progress, silent
from drivetrain.core.project import GatesSpec
from drivetrain.ops.golden import golden_rows
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, write_folder
from drivetrain.store.golden import golden_of
from drivetrain.store.models import ModelContent
from drivetrain.validate.body import ReportBody, Section
from drivetrain.validate.card import render_card
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import SAFETY, Finding, attempt, planned, run_gates
from drivetrain.validate.performance import headline, performance

REPORT, MEASUREMENTS, PAGE = "report.json", "measurements.json", "report.html"


def validate(
    spec: GatesSpec,
    name: str,
    model: Model,
    features: Features,
    champion: Model | None,
    catalog: Catalog,
    progress: Progress = silent,
) -> Report:
    """Judge a model on the test part of ``features`` by every gate that the spec sets.

    Writes the folder of the report: ``report.json`` (its SHA-256 is the report's digest), ``measurements.json`` (what
    timed gates measured on this machine), ``report.html``, the model card, and the golden batch, which a model that is
    not safe or cannot score it does not get. A gate that fails makes the verdict ``fail``; it does not raise. Raises
    NotFound when the features are not in the lake.
    """
    with closing(Evidence(spec, model, features, champion, catalog)) as evidence:
        if len(evidence.test) == 0:
            raise InvalidInput("no_test_rows", f"{features.ref} has no test rows", hint="correct features.split")
        return _judged(evidence, name, progress)


def _judged(evidence: Evidence, name: str, progress: Progress) -> Report:
    total = len(planned(evidence.spec, blind=evidence.features.blind)) + 1
    findings: dict[str, Finding] = {}
    for gate, finding in run_gates(evidence):
        findings[gate] = finding
        progress(len(findings), total, _note(gate, finding))
    golden: dict[str, bytes] = {}
    safe = _verdict(findings[SAFETY].results) == "pass"
    if safe:
        findings["performance"] = attempt("performance", partial(performance, evidence))
        findings["golden"] = attempt("golden", partial(_score_golden, evidence, golden))
    measured = safe and not findings["performance"].results
    body = _body(evidence, name, findings, headline(evidence) if measured else ())
    report = _write(replace(body, golden=digests(golden)), golden, evidence, evidence.content if safe else None)
    progress(total, total, f"{report.verdict}: {len(report.gates) - len(report.failed)} of {len(report.gates)} gates")
    return report


def _body(evidence: Evidence, name: str, findings: Mapping[str, Finding], metrics: tuple[Estimate, ...]) -> ReportBody:
    gates = tuple(result for finding in findings.values() for result in finding.results)
    first = [gate for gate in ("performance",) if gate in findings]
    order = [*first, *(gate for gate in findings if gate not in first)]
    sections = [Section(gate, findings[gate].tables, findings[gate].charts) for gate in order]
    return ReportBody(
        name=name,
        verdict=_verdict(gates),
        model=evidence.model.ref,
        model_digest=evidence.model.digest,
        features=evidence.features.ref,
        features_digest=evidence.features.digest,
        champion=evidence.champion.ref if evidence.champion else None,
        parts=evidence.features.parts,
        card=evidence.spec.card,
        metrics=metrics,
        gates=gates,
        sections=tuple(section for section in sections if section.tables or section.charts),
    )


def _write(body: ReportBody, golden: Mapping[str, bytes], evidence: Evidence, content: ModelContent | None) -> Report:
    encoded = body.encode()
    report = Report(
        name=body.name,
        digest=digest_bytes(encoded),
        verdict=body.verdict,
        metrics=body.metrics,
        gates=body.gates,
        parents=(body.model, body.features),
    )
    timed = msgspec.json.format(canonical_json([gate for gate in body.gates if gate.timed]), indent=1) + b"\n"
    files = {REPORT: encoded, MEASUREMENTS: timed, PAGE: render_card(body, content), **golden}
    write_folder(evidence.catalog.folder(report.ref), files)
    return report


def _score_golden(evidence: Evidence, files: dict[str, bytes]) -> Finding:
    """Put the golden batch into ``files``; nothing about it is judged but that the model scores it."""
    rows = golden_rows(evidence.content.signature, evidence.content.reference)
    files.update(golden_of(rows, evidence.scorer.score).files())
    return Finding(())


def _verdict(results: Iterable[GateResult]) -> Verdict:
    return "pass" if all(result.verdict == "pass" for result in results) else "fail"


def _note(gate: str, finding: Finding) -> str:
    return f"{gate}: {_verdict(finding.results)}"
