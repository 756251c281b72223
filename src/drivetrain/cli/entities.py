"""``entities``: each machine, customer or card, by what was recorded of it."""

from __future__ import annotations

import click
from rich.markup import escape

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table


@click.group()
def entities() -> None:
    """Look at what was predicted of each machine, customer or card, as the page /entities shows it."""


@entities.command("list")
@click.option("--contains", default="", help="Only those with this in their name.")
@click.option("--limit", type=click.IntRange(1), default=50, help="How many at most.")
@command("drivetrain entities list\ndrivetrain entities list --contains pump --json")
def list_entities(door: Door, contains: str, limit: int) -> None:
    """List entities: those with an alarm first, then the worst score."""
    from drivetrain.engine.entities import list_entities

    found = list_entities(door.open(), contains)
    rows = found.slice(0, limit).to_pylist()
    if door.json:
        print_json({"total": found.num_rows, "rows": rows})
        return
    header = [name for name in found.column_names if name not in ("prediction_id", "release")]
    print_table(header, [[_cell(row[name]) for name in header] for row in rows])
    if found.num_rows > limit:
        out.print(f"{limit:,} of {found.num_rows:,}")


@entities.command()
@click.argument("entity")
@click.option("--limit", type=click.IntRange(1), default=20, help="How many of its newest predictions.")
@command("drivetrain entities show pump-7\ndrivetrain entities show pump-7 --limit 500 --json")
def show(door: Door, entity: str, limit: int) -> None:
    """Show one ENTITY: its alarms, its newest predictions with their labels, and the inputs of the last one."""
    from drivetrain.engine.entities import show_entity

    found = show_entity(door.open(), entity, limit)
    rows, newest = found.rows.to_pylist(), found.inputs.slice(found.inputs.num_rows - 1).to_pylist()[0]
    alarms = [
        {"outlet": alarm.outlet, "raised": alarm.raised, "changes": alarm.changes.to_pylist()} for alarm in found.alarms
    ]
    if door.json:
        print_json(
            {"entity": found.name, "total": found.total, "alarms": alarms, "rows": rows,
             "inputs": newest, "sensors": found.inputs.to_pydict()}
        )  # fmt: skip
        return
    states = "".join(f"; {alarm.outlet}: {'[red]alarm[/]' if alarm.raised else 'no alarm'}" for alarm in found.alarms)
    out.print(f"[bold]{escape(found.name)}[/]  {found.total:,} predictions{states}")
    header = [name for name in found.rows.column_names if name not in ("prediction_id", "labelled_at")]
    print_table(header, [[_cell(row[name]) for name in header] for row in rows])
    print_table(("input", "newest"), [(name, _cell(value)) for name, value in newest.items()])


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)[:19] if hasattr(value, "isoformat") else str(value)
