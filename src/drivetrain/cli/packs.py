"""``packs``: the use cases to start from, what their models reached, and whether they still do."""

from __future__ import annotations

import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import click

from drivetrain.cli.exits import OUT_OF_BOUNDS
from drivetrain.cli.options import Door, command
from drivetrain.cli.output import err, out, print_json, print_table
from drivetrain.cli.progress import RunProgress

_FOLDER = click.Path(path_type=Path)


@click.group()
def packs() -> None:
    """The use cases that a project can start from."""


@packs.command("list")
@command("drivetrain packs list\ndrivetrain packs list --json")
def list_packs(door: Door) -> None:
    """List the packs with the score that was measured, its 95 % interval, and the floor below which it fails."""
    from drivetrain.engine.packs import list_packs, promises

    found = list_packs()
    if door.json:
        print_json([{"name": pack.name, **pack.says.model_dump(mode="json")} for pack in found])
        return
    header = ("pack", "use case", "metric", "measured", "floor", "seconds", "data")
    print_table(header, [
        (one.name, pack.says.title, (held := one.benchmark).metric,
         f"{(seen := held.measured).value:g} \\[{seen.low:g}, {seen.high:g}]", f"{held.floor:g}", f"{seen.seconds:g}",
         one.data)
        for pack in found for one in promises(pack)
    ])  # fmt: skip
    out.print("[bold]next:[/] drivetrain init NAME --pack PACK")


@packs.command("score")
@click.argument("names", nargs=-1, metavar="[PACK]...")
@click.option("--folder", type=_FOLDER, default=None, help="Where the projects go and stay; else they are deleted.")
@click.option(
    "--within", type=float, default=None, help="Only packs that took so many seconds when they were measured."
)
@command("drivetrain packs score risk\ndrivetrain packs score --within 120 --json")
def score(door: Door, names: tuple[str, ...], folder: Path | None, within: float | None) -> None:
    """Run packs (all, when none is named) and their variants on their real data and measure their models again.

    The exit code is 12 when one is below its floor. With --folder a second run does only what changed.
    """
    from drivetrain.engine.packs import find_promises, list_packs, score_pack

    found = [one for name in names or [pack.name for pack in list_packs()] for one in find_promises(name)]
    slow = [one.name for one in found if within is not None and one.benchmark.measured.seconds > within]
    chosen = [one.name for one in found if one.name not in slow]
    if slow:
        err.print(f"left out, they take longer than {within:g} s: {', '.join(slow)}")
    scores = []
    with nullcontext(folder) if folder else tempfile.TemporaryDirectory() as place:
        for name in chosen:
            with RunProgress(out) if not door.json else nullcontext() as progress:
                told = [progress] if progress is not None else []
                scores.append(score_pack(name, Path(str(place)) / name.replace("/", "-"), door.settings, told))
    if door.json:
        print_json([{**vars(one), "is_reached": one.is_reached} for one in scores])
    else:
        print_table(("pack", "measured", "floor", "seconds", ""), [
            (one.pack, one.estimate, f"{one.floor:g}", f"{one.seconds:.0f}",
             "pass" if one.is_reached else "fail")
            for one in scores
        ])  # fmt: skip
    if not all(one.is_reached for one in scores):
        sys.exit(OUT_OF_BOUNDS)
