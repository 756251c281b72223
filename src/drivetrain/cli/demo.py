"""``demo``: everything at once, on real data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import err, out, print_json
from drivetrain.cli.progress import RunProgress

if TYPE_CHECKING:
    from drivetrain.engine.demo import LiveDemo

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.option("--once", is_flag=True, help="End by itself; exit code 0 only if every step did what it should.")
@click.option("--pack", default="risk", show_default=True, help="Which use case; `drivetrain packs list` has them.")
@click.option("--folder", type=_FOLDER, default="demo", show_default=True, help="Where the project goes.")
@command("drivetrain demo\ndrivetrain demo --once --pack phishing --folder /tmp/demo")
def demo(door: Door, once: bool, pack: str, folder: Path) -> None:
    """Carry the project of a pack from raw data to a live service, and find the drift in its traffic.

    The service stays up until Ctrl+C, unless --once is given. A second run does only what changed.
    """
    from drivetrain.engine.demo import live_demo

    if door.json:
        with live_demo(folder, door.settings, [], pack) as live:
            print_json(_facts(live))
            _stay(live, once=once)
    else:
        with RunProgress(out) as progress, live_demo(folder, door.settings, [progress], pack) as live:
            progress.end()
            _tell(live, folder)
            _stay(live, once=once)


def _stay(live: LiveDemo, *, once: bool) -> None:
    if not once:
        err.print("[dim]Ctrl+C stops the service[/]")
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


def _tell(live: LiveDemo, folder: Path) -> None:
    rows = (
        ("service", f"{live.server.url}  (try it in a browser: {live.server.url}/docs)"),
        ("model card", str(live.model_card)),
        ("drift report", str(live.drift_page)),
        ("recommends", live.drift.recommendation),
        ("trace", f"drivetrain trace {live.prediction_id} --project {folder}"),
        ("ask it", f"curl {live.server.url}/v1/predict -H 'Authorization: Bearer {live.key}' "
                   f"-H 'Content-Type: application/json' -d '{live.example}'"),
    )  # fmt: skip
    out.rule("live", align="left", style="green")
    for name, text in rows:
        out.print(f"[bold]{name:<13}[/] {escape(text)}")
