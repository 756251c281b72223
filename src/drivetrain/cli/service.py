"""``serve`` and ``monitor``: the running service."""

from __future__ import annotations

import sys

import click

from drivetrain.cli.exits import DRIFTED
from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table
from drivetrain.cli.progress import RunProgress


@click.command()
@click.option("--host", default=None, help="Address to listen on; default from the project file.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="Port; 0 picks a free one.")
@command("drivetrain serve\ndrivetrain serve --port 9000")
def serve(door: Door, host: str | None, port: int | None) -> None:
    """Run the prediction server of what is deployed, until Ctrl+C."""
    door.open().serve(host=host, port=port)


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
