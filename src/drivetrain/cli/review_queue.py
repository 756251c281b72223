"""``queue``: what waits for a person, one case of it, and the answer, which becomes a label."""

from __future__ import annotations

import click
import msgspec
from rich.markup import escape

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table
from drivetrain.core.review_queue import Case


class _ListsFirst(click.Group):
    """`drivetrain queue` alone lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click's own, with `list` put before options that belong to it."""
        own = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if own else args)


@click.group(cls=_ListsFirst)
def queue() -> None:
    """What waits for a person: list it, show a case, answer it."""


@queue.command("list")
@click.option("--class", "said", default="", help="Only what the model says is of this class.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many, oldest first.")
@command("drivetrain queue list\ndrivetrain queue list --limit 100 --json")
def list_waiting(door: Door, said: str, limit: int) -> None:
    """List the predictions that wait for a person, oldest first; `drivetrain queue` alone does the same."""
    from drivetrain.engine.review_queue import waiting

    total, cases = waiting(door.open(), said, limit)
    if door.json:
        print_json({"total": total, "waiting": msgspec.to_builtins(cases)})
        return
    print_table(("prediction", "since", "case", "the model says", "score"), [
        (case.id, f"{case.at:%Y-%m-%d %H:%M}", case.entity or "", _thought(case), f"{case.score:.4g}")
        for case in cases
    ])  # fmt: skip
    out.print(f"{total:,} waiting")
    if cases:
        out.print(f"[bold]next:[/] drivetrain queue show {cases[0].id}")


@queue.command("show")
@click.argument("prediction")
@command("drivetrain queue show 1a206fe33e819ce5eff00000000")
def show(door: Door, prediction: str) -> None:
    """Show what the model was given of one case, and what it says."""
    from drivetrain.engine.review_queue import case

    found = case(door.open(), prediction)
    if door.json:
        print_json(msgspec.to_builtins(found))
        return
    print_table(("input", "value"), [(name, "" if value is None else value) for name, value in found.inputs.items()])
    out.print(f"{escape(found.release)} says: {escape(_thought(found))} (score {found.score:.4g})")
    if found.answer is not None:
        out.print(f"[green]✓[/] {escape(found.answer.by)} has answered: {escape(str(found.answer.label))}")
    else:
        out.print(f"[bold]next:[/] drivetrain queue answer {found.id} ANSWER")


@queue.command("answer")
@click.argument("prediction")
@click.argument("text", metavar="ANSWER")
@command("drivetrain queue answer 1a206fe33e819ce5eff00000000 invoice --as alex")
def answer(door: Door, prediction: str, text: str) -> None:
    """Say what was true of a case: true or false, a class, or a number. It becomes the label of the prediction."""
    from drivetrain.engine.review_queue import answer as record

    told = record(door.open(), prediction, text)
    if door.json:
        print_json(told)
        return
    kept = "recorded" if told.is_new else "recorded before"
    out.print(f"[green]✓[/] {escape(str(told.label))}, {kept}, by {escape(told.by)}")
    if not told.is_known:
        out.print("[yellow]the model knows no such class[/]: it will once it is trained with it")


def _thought(case: Case) -> str:
    """What the model says of it, in the words of its task."""
    if case.low is not None and case.high is not None:
        return f"{case.low:.4g} to {case.high:.4g}"
    return case.said if case.said is not None else str(case.decision).lower()
