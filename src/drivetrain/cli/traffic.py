"""``traffic``: held-back rows as live traffic, to try a service and its monitor with."""

from __future__ import annotations

import click

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json
from drivetrain.cli.progress import RunProgress


@click.command()
@click.option("--drift", is_flag=True, help="As a changed world would send them: demo/drift.sql.")
@click.option("--rows", type=click.IntRange(1), default=1000, show_default=True, help="At most so many rows.")
@click.option("--labels/--no-labels", default=True, help="Tell the service how the cases came out.")
@click.option("--url", default=None, help="Where the service answers; default: the one that runs in this project.")
@command("drivetrain traffic\ndrivetrain traffic --drift --rows 5000")
def traffic(door: Door, drift: bool, rows: int, labels: bool, url: str | None) -> None:
    """Send rows that the model has not seen to the running service, with the outcomes that came of them."""
    from drivetrain.engine.sending import send

    project = door.open()
    if door.json:
        print_json(send(project, url, rows=rows, drift=drift, labels=labels))
        return
    with RunProgress(out) as progress:
        watch = progress.watch("traffic", project.spec.service_name)
        sent = send(project, url, rows=rows, drift=drift, labels=labels, progress=watch)
    out.print(f"{sent.predictions:,} {'drifted ' if drift else ''}rows answered, {sent.labels:,} outcomes told")
    out.print("[bold]next:[/] drivetrain monitor")
