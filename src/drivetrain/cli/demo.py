"""``demo``: everything at once, on real data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.panel import Panel

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json
from drivetrain.cli.progress import RunProgress

if TYPE_CHECKING:
    from drivetrain.engine.demo import LiveDemo

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--once", is_flag=True, help="End by itself; exit code 0 only if every step did what it should.")
@click.option("--folder", type=_FOLDER, default="demo", show_default=True, help="Where the project goes.")
@command("drivetrain demo\ndrivetrain demo --once --folder /tmp/demo")
def demo(door: Door, once: bool, folder: Path) -> None:
    """Carry the credit risk project from 150,000 real loans to a live service, and find the drift in its traffic.

    The service stays up until Ctrl+C, unless --once is given. A second run does only what changed.
    """
    from drivetrain.engine.demo import live_demo

    if door.json:
        with live_demo(folder, door.settings, []) as live:
            print_json(_facts(live))
            _stay(live, once=once)
    else:
        with RunProgress(out) as progress, live_demo(folder, door.settings, [progress]) as live:
            out.print(_panel(live, folder))
            _stay(live, once=once)


def _stay(live: LiveDemo, *, once: bool) -> None:
    if not once:
        live.server.wait()


def _facts(live: LiveDemo) -> dict[str, object]:
    return {
        "url": live.server.url,
        "release": live.release.ref,
        "model_card": live.model_card,
        "drift_page": live.drift_page,
        "prediction_id": live.prediction_id,
        "steady": live.steady,
        "drift": live.drift,
    }


def _panel(live: LiveDemo, folder: Path) -> Panel:
    lines = (
        f"[bold]service[/]      {live.server.url}   (pages: {live.server.url}/docs)",
        f"[bold]try it[/]       curl {live.server.url}/v1/predict -H 'Authorization: Bearer {live.key}' \\",
        f"               -H 'Content-Type: application/json' -d '{escape(live.example)}'",
        f"[bold]trace it[/]     drivetrain trace {live.prediction_id} --project {folder}",
        f"[bold]model card[/]   {live.model_card}",
        f"[bold]drift report[/] {live.drift_page}",
        f"[bold]drift[/]        {escape(live.drift.recommendation)}",
    )
    return Panel("\n".join(lines), title="Live", title_align="left", expand=False)
