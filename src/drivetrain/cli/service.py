"""``serve`` and ``monitor``: the running service."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from drivetrain.cli.exits import DRIFTED
from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table
from drivetrain.cli.progress import RunProgress
from drivetrain.engine.project import Project


@click.command()
@click.option("--host", default=None, help="Address to listen on; default from the project file.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Port; 0 picks a free one.")
@click.option("--workers", type=click.IntRange(1, 64), default=None, help="Processes that share the port.")
@click.option(
    "--also", "others", multiple=True, metavar="PROJECT", type=click.Path(exists=True, path_type=Path),
    help="Another project whose service the same server answers for, under /services/NAME; repeatable.",
)  # fmt: skip
@command("drivetrain serve\ndrivetrain serve --port 9000 --workers 2")
def serve(door: Door, host: str | None, port: int | None, workers: int | None, others: tuple[Path, ...]) -> None:
    """Run the prediction server of what is deployed, until Ctrl+C."""
    project = door.open()
    project.serve(host, port, workers=workers, others=[Project(path, project.settings) for path in others])


@click.command()
@click.option("--check", is_flag=True, help=f"Exit with {DRIFTED} when there is drift.")
@command("drivetrain monitor\ndrivetrain monitor --check --json")
def monitor(door: Door, check: bool) -> None:
    """Compare recent predictions with what the model learned from; performance where labels have arrived."""
    project = door.open()
    if door.json:
        report = project.monitor()
        print_json(report)
    else:
        with RunProgress(out) as progress:
            report = project.monitor(progress.watch("monitor", project.spec.service_name))
        print_table(
            ("column", "PSI", "p-value", "missing before", "now", "alarm"),
            [
                (column.name, f"{column.psi:.3f}", f"{column.p_value:.2g}", f"{column.missing_before:.1%}",
                 f"{column.missing_now:.1%}", "drifted" if column.alarm else "")
                for column in report.columns
            ],
        )  # fmt: skip
        for estimate in report.performance:
            out.print(f"{estimate} on {estimate.rows:,} labelled predictions")
        out.print(f"[bold]{report.verdict.replace('_', ' ')}[/]: {report.recommendation}")
        out.print(f"report: {project.catalog.folder(report.ref) / 'report.html'}")
    if check and report.verdict == "drifted":
        sys.exit(DRIFTED)
