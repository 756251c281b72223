"""What goes on until Ctrl+C or SIGTERM: ``ingest --follow``, a line for each load that brought rows."""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

from rich.markup import escape

from drivetrain.cli.options import Door
from drivetrain.cli.output import out, print_json_line

if TYPE_CHECKING:
    from drivetrain.engine.follow import Load


def until_stopped() -> Event:
    """An event that Ctrl+C and SIGTERM set from now on; a second signal ends the process at once."""
    stopped = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


def follow_source(door: Door, source: str, every: float, *, accept_schema: bool) -> None:
    """Follow the source, and end well after the load under way."""

    def tell(load: Load) -> None:
        if door.json:
            print_json_line(_facts(load))
        elif load.error is not None:
            out.print(f"[yellow]![/] {source}: {escape(load.error.message)}; again in {load.next_in:.0f} s")
        elif load.rows:
            lag = "" if load.lag is None else f", {load.lag:,} waiting"
            out.print(f"[green]✓[/] {source}: {load.rows:,} rows, {load.rate:,.0f} a second{lag} [dim]({load.ref})[/]")
        for alarm in () if door.json else load.alarms:
            out.print(f"[yellow]![/] {source}: {escape(alarm.text)}")

    project, stopped = door.open(), until_stopped()
    if not door.json:
        out.print(f"following {source}; Ctrl+C ends it after the load under way")
    project.follow(source, every=every, accept_schema=accept_schema, stopped=stopped, tell=tell)


def _facts(load: Load) -> dict[str, object]:
    error = load.error.code if load.error else None
    return {"rows": load.rows, "seconds": load.seconds, "waiting": load.lag, "dataset": load.ref, "error": error,
            "alarms": load.alarms}  # fmt: skip
