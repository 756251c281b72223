"""``forecast``: the open rows as a forecast that adds up, with what to order."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from drivetrain.cli.options import REF, Door, command
from drivetrain.cli.output import out, print_json
from drivetrain.core.refs import Ref


@click.command()
@click.option("--release", type=REF, default=None, help="Which release; default the one that serves.")
@click.option(
    "--what-if", multiple=True, metavar="INPUT=CHANGE",
    help="Forecast changed rows beside the others: price=-10%, price=+5, price=4.99, is_closed=1@2011-12-23.",
)  # fmt: skip
@click.option(
    "--export", type=click.Path(path_type=Path), default=None, help="Write rows and orders to a .csv or .xlsx."
)
@command(
    "drivetrain forecast\ndrivetrain forecast --what-if price_lately=0.8 --export cut.xlsx\ndrivetrain forecast --json"
)
def forecast(door: Door, release: Ref | None, what_if: tuple[str, ...], export: Path | None) -> None:
    """Forecast the rows whose outcome is still to come, reconciled, with intervals and orders; kept in the lake.

    The same release and rows are kept once. A forecast with --what-if shows both, and keeps what it would without.
    """
    from drivetrain.engine.forecast import make_forecast

    told = make_forecast(door.open(), release, what_if, export)
    if door.json:
        print_json(told)
        return
    kept = "kept" if told.is_new else "kept since an earlier run"
    out.print(
        f"[green]✓[/] {told.series:,} series from {told.origin} on, by {told.release}: {told.rows:,} rows, {kept}"
    )
    out.print(f"in all {told.total:,.0f}" + (f", what if: {told.what_if:,.0f}" if told.what_if is not None else ""))
    if told.orders:
        out.print(f"{told.orders:,} series with safety stock and reorder point")
    if export is not None:
        out.print(f"written to {escape(str(export))}")
