"""Watching a run: a bar per stage on a terminal, a line per stage elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from drivetrain.core import events
from drivetrain.core.events import (
    AlarmRaised,
    Event,
    StageFailed,
    StageFinished,
    StageProgressed,
    StageSkipped,
    StageStarted,
)


class RunProgress:
    """Subscribes to a run and draws it. Use as a context manager around the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Take the bars off the terminal; the lines stay. More may be printed then."""
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Draw one event."""
        label = f"{event.stage:<9} {event.name}"
        match event:
            case AlarmRaised():
                self._console.print(f"[yellow]![/] {label:<28} [yellow]{escape(event.alarm.text)}[/]")
            case StageStarted():
                self._task = self._live.add_task(label, total=None, note=f"[dim]{escape(event.why)}[/]")
            case StageProgressed():
                self._advance(event)
            case StageFinished():
                self._end("[green]✓[/]", label, f"{escape(event.found)} [dim]({event.seconds:.1f} s)[/]")
            case StageSkipped():
                self._end("[dim]·[/]", label, f"[dim]skipped: {escape(event.why)} ({event.ref})[/]")
            case StageFailed():
                self._end("[red]✗[/]", label, f"[red]{escape(event.code)}[/]")

    def _advance(self, event: StageProgressed) -> None:
        if self._task is not None:
            self._live.update(self._task, completed=event.done, total=event.total, note=escape(event.note))

    def _end(self, mark: str, label: str, text: str) -> None:
        if self._task is not None:
            self._live.remove_task(self._task)
            self._task = None
        self._console.print(f"{mark} {label:<28} {text}")

    def watch(self, stage: str, name: str) -> events.Progress:
        """A Progress that is drawn as a bar of its own."""
        self(StageStarted(stage, name, ""))

        def progress(done: float, total: float | None = None, note: str = "") -> None:
            self(StageProgressed(stage, name, done, total, note))

        return progress
