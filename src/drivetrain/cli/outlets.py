"""``deliver`` and ``outlets``: predictions to other systems, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.markup import escape

from drivetrain.cli.following import until_stopped
from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_json_line, print_table
from drivetrain.cli.progress import RunProgress

if TYPE_CHECKING:
    from drivetrain.deliver.deliver import Delivered
    from drivetrain.engine.outlets import Round


@click.command()
@click.argument("outlets", nargs=-1)
@click.option("--follow", is_flag=True, help="Go on until Ctrl+C or SIGTERM; ends after the parcel under way.")
@click.option("--every", type=click.FloatRange(0), default=5.0, help="With --follow: seconds between rounds, at least.")
@command("drivetrain deliver\ndrivetrain deliver warehouse\ndrivetrain deliver --follow --every 10")
def deliver(door: Door, outlets: tuple[str, ...], follow: bool, every: float) -> None:
    """Send new predictions through the OUTLETS of the project file (all by default), each from where it stood."""
    if follow:
        _follow(door, outlets, every)
        return
    project = door.open()
    if door.json:
        print_json({"outlets": [_facts(done) for done in project.deliver(*outlets)]})
        return
    with RunProgress(out) as progress:
        done = project.deliver(*outlets, subscribers=[progress])
    for one in done:
        if one.dead:
            out.print(f"[bold]next:[/] drivetrain outlets dead {one.outlet}")


@click.group()
def outlets() -> None:
    """Look at the outlets: list them, test a connection, read dead letters and send them again."""


@outlets.command("list")
@command("drivetrain outlets list\ndrivetrain outlets list --json")
def list_outlets(door: Door) -> None:
    """List the outlets of the project file, with what they took. Connects to none."""
    from drivetrain.engine.outlets import list_outlets

    found = list_outlets(door.open())
    if door.json:
        print_json(found)
        return
    header = ("name", "kind", "taken", "dead", "waiting", "last delivery (UTC)")
    print_table(header, [
        (one.name, one.kind, _count(one.taken), _count(one.dead), _count(one.waiting),
         (one.at or "never")[:19].replace("T", " "))
        for one in found
    ])  # fmt: skip


@outlets.command("test")
@click.argument("name")
@command("drivetrain outlets test warehouse\ndrivetrain outlets test warehouse --json")
def test_outlet(door: Door, name: str) -> None:
    """Connect to an outlet, send nothing; say what is there, and how the newest prediction would leave."""
    from drivetrain.engine.outlets import test_outlet

    found = test_outlet(door.open(), name)
    if door.json:
        print_json(found)
        return
    out.print(f"[green]✓[/] {found.outlet} ({found.kind}) answers in {found.seconds:.2f} s: {escape(found.said)}")
    if found.columns:
        rows = [(one.name, one.type, "" if one.value is None else one.value) for one in found.columns]
        print_table(("column", "type", "newest prediction"), rows)
    else:
        out.print("there is no prediction yet")


@outlets.command("dead")
@click.argument("name")
@click.option("-n", "--rows", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, at most.")
@command("drivetrain outlets dead warehouse\ndrivetrain outlets dead warehouse -n 100 --json")
def dead_letters(door: Door, name: str, rows: int) -> None:
    """Show the predictions that the other side does not take, and why."""
    from drivetrain.engine.outlets import dead_letters

    found = dead_letters(door.open(), name, rows)
    if door.json:
        print_json(found)
        return
    if not found:
        out.print("no dead letters")
        return
    header = ("prediction", "tried", "last (UTC)", "why")
    print_table(header, [(one.prediction_id, one.attempts, f"{one.at:%Y-%m-%d %H:%M:%S}", one.said) for one in found])
    out.print(f"[bold]next:[/] mend what is wrong, then drivetrain outlets retry {name}")


@outlets.command("retry")
@click.argument("name")
@command("drivetrain outlets retry warehouse")
def retry_dead(door: Door, name: str) -> None:
    """Send the dead letters of an outlet again, as the project file has them now."""
    from drivetrain.engine.outlets import retry_dead

    project = door.open()
    if door.json:
        print_json(_facts(retry_dead(project, name)))
        return
    with RunProgress(out) as progress:
        retry_dead(project, name, [progress])


def _follow(door: Door, names: tuple[str, ...], every: float) -> None:
    from drivetrain.engine.outlets import follow_outlets

    def tell(turn: Round) -> None:
        done, error = turn.delivered, turn.error
        if door.json:
            facts = _facts(done) if done else {"outlet": turn.outlet}
            print_json_line({**facts, "error": error.code if error else None})
        elif error is not None:
            out.print(f"[yellow]![/] {turn.outlet}: {escape(error.message)}; again in {turn.next_in:.0f} s")
        elif done is not None and (done.taken or done.dead):
            dead = f", [red]{done.dead:,} dead[/]" if done.dead else ""
            out.print(f"[green]✓[/] {done.outlet}: {done.taken:,} rows, {done.rate:,.0f} a second{dead}")

    project, stopped = door.open(), until_stopped()
    if not door.json:
        out.print(f"following {', '.join(names or project.spec.outlets)}; Ctrl+C ends it after the parcel under way")
    follow_outlets(project, names, every, stopped=stopped, tell=tell)


def _facts(done: Delivered) -> dict[str, object]:
    return {
        "outlet": done.outlet, "predictions": done.predictions, "taken": done.taken, "dead": done.dead,
        "left": done.left, "seconds": done.seconds,
    }  # fmt: skip


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
