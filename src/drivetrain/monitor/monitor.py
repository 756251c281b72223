"""monitor: predictions against the reference in their release, and performance where labels have arrived."""

from __future__ import annotations

from drivetrain.core.artifacts import Deployment, DriftReport, Model, Release, Report
from drivetrain.core.digest import digest_bytes
from drivetrain.core.events import Progress, silent
from drivetrain.core.project import MonitorSpec
from drivetrain.core.refs import Kind
from drivetrain.core.task import Task
from drivetrain.monitor.advice import advise
from drivetrain.monitor.columns import compare_columns
from drivetrain.monitor.findings import Findings, Limits
from drivetrain.monitor.outcomes import decided_false
from drivetrain.monitor.page import render_findings
from drivetrain.monitor.performance import measure_performance
from drivetrain.monitor.timeline import make_timeline, moment
from drivetrain.monitor.traffic import Traffic, read_traffic
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import check_files, read_folder, write_folder
from drivetrain.store.journal import roll
from drivetrain.store.models import ModelContent, model_from


def monitor(
    spec: MonitorSpec,
    service: str,
    deployment: Deployment,
    release: Release,
    model: Model,
    catalog: Catalog,
    progress: Progress = silent,
) -> DriftReport:
    """Judge the newest predictions that ``release`` made for ``service`` since ``deployment`` started.

    The verdict is about the newest ``spec.window_rows`` predictions, performance about as many of the newest labelled
    ones; the timeline looks back on at most 100,000. Writes ``report.json`` and ``report.html`` into the folder of the
    report; the same predictions and labels give the same report. Raises Tampered when the model's files changed.
    """
    progress(0, 4, "moving the journal into the lake")
    moved = roll(catalog, service)
    progress(1, 4, f"{moved:,} new records")
    content = _read_model(catalog, model)
    traffic = read_traffic(catalog, service, deployment, release, content.signature)
    progress(2, 4, f"{len(traffic):,} predictions")
    refs = (deployment, release, model)
    findings = _find(spec, service, refs, content, traffic, _report_of(catalog, release))
    progress(3, 4, findings.verdict.replace("_", " "))
    drift = _artifact(findings)
    page = render_findings(findings, content.signature)
    write_folder(catalog.folder(drift.ref), {"report.json": findings.to_json(), "report.html": page})
    progress(4, 4, findings.verdict.replace("_", " "))
    return drift


def _read_model(catalog: Catalog, model: Model) -> ModelContent:
    folder = catalog.folder(model.ref)
    files = read_folder(folder)
    check_files(files, model.files, str(folder))
    return model_from(files, str(folder))


def _report_of(catalog: Catalog, release: Release) -> Report | None:
    refs = (*release.parents, *catalog.ancestors(release.ref))
    return next((catalog.get(Report, ref) for ref in refs if ref.kind is Kind.REPORT), None)


def _find(
    spec: MonitorSpec,
    service: str,
    refs: tuple[Deployment, Release, Model],
    content: ModelContent,
    traffic: Traffic,
    report: Report | None,
) -> Findings:
    window = traffic.newest(spec.window_rows)
    columns = compare_columns(spec, content.signature, content.reference, window)
    performance = measure_performance(spec, content, report, traffic)
    false = decided_false(content, window)
    handed_over = false if content.signature.task is Task.CLASSES else None
    verdict, recommendation = advise(spec, columns, performance, len(window), handed_over)
    deployment, release, model = refs
    return Findings(
        service=service,
        deployment=deployment.ref,
        release=release.ref,
        model=model.ref,
        served=len(traffic),
        rows=len(window),
        start=moment(window.at[0]) if len(window) else "",
        end=moment(window.at[-1]) if len(window) else "",
        limits=Limits(**spec.model_dump() | {"metric": performance.metric}),
        verdict=verdict,
        recommendation=recommendation,
        columns=columns,
        decided_false=false,
        performance=performance,
        timeline=make_timeline(spec, content.signature.task, content.reference, traffic),
    )


def _artifact(findings: Findings) -> DriftReport:
    return DriftReport(
        name=findings.service,
        digest=digest_bytes(findings.to_json()),
        rows=findings.rows,
        labelled=findings.performance.rows,
        columns=tuple(comparison.drift for comparison in findings.columns),
        performance=findings.performance.now,
        verdict=findings.verdict,
        recommendation=findings.recommendation,
        parents=(findings.deployment, findings.release),
    )
