"""``score``: offline batches."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, Unpack

import click
from rich.markup import escape

from drivetrain.cli.options import REF, Door, command
from drivetrain.cli.output import out, print_json
from drivetrain.cli.progress import RunProgress
from drivetrain.core.refs import Ref
from drivetrain.deliver.options import DEFAULTS, Format, Scored, ScoreOptions


class _Options(TypedDict):
    """The fields of ScoreOptions."""

    format: Format
    keep: tuple[str, ...] | None
    max_bad_share: float
    again: bool
    commit_rows: int


class _Names(click.ParamType[tuple[str, ...]]):
    """``id,name`` on the command line; nothing at all for no column."""

    name = "names"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Take it apart."""
        if isinstance(value, tuple):
            return value
        return tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))


@click.command()
@click.argument("source")
@click.option("--release", type=REF, default=None, help="Which release; default the one that serves.")
@click.option("--to", type=click.Path(path_type=Path), default=None, help="Where to; default a table of the lake.")
@click.option("--format", type=click.Choice(["delta", "parquet"]), default=DEFAULTS.format, show_default=True)
@click.option("--keep", type=_Names(), default=None, metavar="ID,NAME", help="Input columns to carry along.")
@click.option(
    "--max-bad-share", type=click.FloatRange(0, 1), default=DEFAULTS.max_bad_share, show_default=True,
    help="Refuse when more of the rows are bad.",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Replace the output that is there.")
@click.option(
    "--commit-rows", type=click.IntRange(1), default=DEFAULTS.commit_rows, show_default=True,
    help="What a kill may cost, in rows.",
)  # fmt: skip
@command(
    "drivetrain score applications.parquet\n"
    'drivetrain score "inbox/*.csv.gz" --keep id,name --to scores --format parquet\n'
    "drivetrain score features/credit-risk@3 --json"
)
def score(door: Door, source: str, release: Ref | None, to: Path | None, **options: Unpack[_Options]) -> None:
    """Score SOURCE (files, a folder, a glob, a Delta table or its ref) offline; the same command goes on after a kill.

    Bad rows go to a quarantine beside the output, each with its reason.
    """
    project = door.open()
    if door.json:
        print_json(project.score(source, release, to, ScoreOptions(**options)))
        return
    with RunProgress(out) as progress:
        scored = project.score(source, release, to, ScoreOptions(**options), progress.watch("score", source))
    _tell(scored)


def _tell(scored: Scored) -> None:
    new = scored.rows + scored.bad - scored.before
    if scored.before and not new:
        out.print(f"[green]✓[/] complete since an earlier run: {scored.rows:,} rows; --again scores them anew")
    else:
        earlier = f", {scored.before:,} of them in earlier runs" if scored.before else ""
        speed = f"[dim]({scored.seconds:.1f} s, {scored.rows_per_second:,.0f} rows a second)[/]"
        out.print(f"[green]✓[/] {scored.rows:,} rows scored by {scored.release}{earlier} {speed}")
    out.print(f"predictions: {escape(str(scored.output))}")
    if scored.quarantine is not None:
        out.print(f"[yellow]{scored.bad:,} bad rows[/], with reasons: {escape(str(scored.quarantine))}")
