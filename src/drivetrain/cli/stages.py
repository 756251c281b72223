"""``run``, ``plan`` and the verbs of the single stages."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from drivetrain.cli.exits import STALE
from drivetrain.cli.following import follow_source
from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table
from drivetrain.cli.progress import RunProgress

if TYPE_CHECKING:
    from drivetrain.engine.project import Project
    from drivetrain.engine.run import RunResult
    from drivetrain.engine.stages import StageName

_FORCE = click.option("--force", is_flag=True, help="Run this stage even when nothing changed.")


@click.command()
@click.option("--until", type=click.Choice(["ingest", "prepare", "train", "validate", "release"]), default="release")
@click.option(
    "--override", default="", metavar="REASON", help="Release in spite of failed gates; the reason is recorded."
)
@command("drivetrain run\ndrivetrain run --until validate --json")
def run(door: Door, until: StageName, override: str) -> None:
    """Bring every stage up to date, in order; what did not change is skipped, with the reason."""
    _run(door, until, override=override)


@click.command()
@click.option("--check", is_flag=True, help=f"Exit with {STALE} when something is stale.")
@command("drivetrain plan\ndrivetrain plan --check --json")
def plan(door: Door, check: bool) -> None:
    """Say what is stale and why. Nothing is run, no data is read."""
    found = door.open().plan()
    if door.json:
        print_json({"fresh": found.fresh, "steps": found.steps})
    else:
        rows = [(step.stage, step.name, step.state, step.why, step.ref or "") for step in found.steps]
        print_table(("stage", "name", "state", "why", "result"), rows)
        out.print("nothing is stale" if found.fresh else "[bold]next:[/] drivetrain run")
    if check and not found.fresh:
        sys.exit(STALE)


@click.command()
@click.argument("source", required=False, default="")
@click.option("--accept-schema", is_flag=True, help="Let a source's changed columns in.")
@click.option("--replay", is_flag=True, help="Take in quarantined rows that pass the contract now.")
@click.option("--follow", is_flag=True, help="Go on loading SOURCE until Ctrl+C or SIGTERM; ends after the load.")
@click.option("--every", type=click.FloatRange(0), default=5.0, help="With --follow: seconds between loads, at least.")
@_FORCE
@command(
    "drivetrain ingest\ndrivetrain ingest loans --accept-schema\ndrivetrain ingest loans --replay\n"
    "drivetrain ingest loans --follow --every 10"
)
def ingest(door: Door, source: str, accept_schema: bool, replay: bool, follow: bool, every: float, force: bool) -> None:
    """Load the sources (or one SOURCE): new rows only, under their contracts; bad rows go to quarantine."""
    if follow:
        if replay or force or not source:
            raise click.UsageError("--follow needs a SOURCE, and goes with --every and --accept-schema only")
        follow_source(door, source, every, accept_schema=accept_schema)
        return
    _run(door, "ingest", source=source, accept_schema=accept_schema, replay=replay, force=force or replay)


@click.command()
@_FORCE
@command("drivetrain prepare")
def prepare(door: Door, force: bool) -> None:
    """Build the feature table from its SQL, split it, and look for leaks."""
    _run(door, "prepare", force=force)


@click.command()
@_FORCE
@command("drivetrain train\ndrivetrain train --force")
def train(door: Door, force: bool) -> None:
    """Search for the best model within the budget, calibrate it, set its decision rule, export it to ONNX."""
    _run(door, "train", force=force)


@click.command()
@_FORCE
@command("drivetrain validate\ndrivetrain validate --json")
def validate(door: Door, force: bool) -> None:
    """Measure the model against every gate of the project file, and write the model card."""
    _run(door, "validate", force=force)


@click.command()
@click.option(
    "--override", default="", metavar="REASON", help="Release in spite of failed gates; the reason is recorded."
)
@_FORCE
@command('drivetrain release\ndrivetrain release --override "pilot with 50 customers, agreed by risk board"')
def release(door: Door, override: str, force: bool) -> None:
    """Bundle model, report and lineage, and sign them. A failed gate refuses."""
    _run(door, "release", override=override, force=force)


def _run(
    door: Door,
    until: StageName,
    *,
    source: str = "",
    override: str = "",
    accept_schema: bool = False,
    replay: bool = False,
    force: bool = False,
) -> None:
    project = door.open()
    admitted = partial(project.run, until, source=source, accept_schema=accept_schema, replay=replay)
    bring = partial(admitted, override=override, force=force)
    if door.json:
        found = bring()
        print_json({"steps": found.steps, "alarms": found.alarms})
        return
    with RunProgress(out) as progress:
        result = bring(subscribers=[progress])
    _next(project, until, result)


def _next(project: Project, until: StageName, result: RunResult) -> None:
    from drivetrain.core.artifacts import Report
    from drivetrain.core.refs import Kind

    if not result.ran:
        out.print("nothing is stale")
    last = result.steps[-1].ref
    if last is not None and last.kind is Kind.REPORT:
        report = project.get(Report, last)
        print_table(
            ("gate", "verdict", "measured", "threshold", "detail"),
            [(gate.gate, gate.verdict, gate.measured or "", gate.threshold, gate.detail[:80]) for gate in report.gates],
        )
        out.print(f"model card: {project.catalog.folder(last) / 'report.html'}")
    if until == "release" and last is not None and project.release(last).approval is None:
        out.print(f'[bold]next:[/] drivetrain approve {last} --comment "reviewed the model card"')
