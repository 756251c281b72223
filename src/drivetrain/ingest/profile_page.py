"""The page of a profile: keys and missing values first, then a picture of each column."""

from __future__ import annotations

from collections.abc import Iterator

from drivetrain.core.errors import examples
from drivetrain.ingest.profile import ALPHA, MAX_PSI, QUANTILES, ColumnProfile, Profile
from drivetrain.store.pages import Bars, Block, Card, Cards, Cell, Chart, Mark, Table, Text, render_page

_CHARTS = 60


def profile_page(found: Profile) -> bytes:
    """The page as UTF-8 HTML; raises MissingExtra when plotly is not installed."""
    against = f", held against {found.before}" if found.before else ", the first version"
    return render_page(f"Profile of {found.dataset}", f"loaded {found.made_at[:19]} UTC{against}", _blocks(found))


def _blocks(found: Profile) -> Iterator[Block]:
    yield _cards(found)
    yield _columns(found)
    yield _quantiles(found)
    yield Text("Distributions", ("Share of the rows that have a value; drifted columns first.",))
    ordered = sorted(found.columns, key=lambda column: -(column.psi or 0.0))
    yield from (_chart(column) for column in ordered[:_CHARTS] if column.bins)
    yield _reading(found)


def _cards(found: Profile) -> Cards:
    moved = [column.name for column in found.columns if column.moved]
    gaps = [column.name for column in found.columns if column.missing]
    return Cards(
        (
            Card("Rows", f"{found.rows:,}", f"{found.quarantined:,} in quarantine"),
            Card("Columns", f"{len(found.columns)}", f"{len(gaps)} with missing values"),
            Card("Likely keys", f"{len(found.keys)}", examples(found.keys) if found.keys else "no column names a row"),
            Card(
                "Drifted", f"{len(moved)}" if found.before else "n/a",
                examples(moved) if moved else f"since {found.before}" if found.before else "there is no version before",
                "bad" if moved else "good" if found.before else "plain",
            ),
        )
    )  # fmt: skip


def _columns(found: Profile) -> Table:
    return Table(
        "Columns",
        ("column", "type", "missing, %", "distinct", "key", "lowest", "highest", "PSI", "verdict"),
        tuple(
            (
                column.name,
                str(column.type),
                round(100 * column.missing / max(1, found.rows), 2),
                column.distinct,
                "likely" if column.is_key else "",
                column.low[:40],
                column.high[:40],
                "" if column.psi is None else round(column.psi, 4),
                _verdict(column),
            )
            for column in found.columns
        ),
        note="Distinct is counted where it decides about a key, else estimated to a few per cent.",
    )


def _verdict(column: ColumnProfile) -> Cell:
    if column.psi is None:
        return ""
    return Mark("bad", "drifted") if column.moved else Mark("plain", "steady")


def _quantiles(found: Profile) -> Table:
    header = ("column", *(f"{share:.0%}" for share in QUANTILES))
    rows = tuple((column.name, *column.quantiles) for column in found.columns if column.quantiles)
    return Table("Quantiles", header, rows, note="Approximate: good to about a hundredth of the rows.")


def _chart(column: ColumnProfile) -> Chart:
    labels = [one.label for one in column.bins]
    now = sum(one.rows for one in column.bins)
    series = [Bars("now", labels, [100 * one.rows / max(1, now) for one in column.bins])]
    if column.psi is not None:
        before = sum(one.before or 0 for one in column.bins)
        earlier = [100 * (one.before or 0) / max(1, before) for one in column.bins]
        series.insert(0, Bars("version before", labels, earlier))
    note = f"{column.distinct:,} distinct, {column.missing:,} missing"
    told = f"{note}; PSI {column.psi:.3f}" if column.psi is not None else note
    return Chart(column.name, tuple(series), y="% of rows", note=told)


def _reading(found: Profile) -> Text:
    return Text(
        "How to read this",
        points=(
            "A likely key is a column without missing values in which no value stands twice. Name it as `key` in the "
            "contract, and a later load that breaks it is refused.",
            "The population stability index (PSI) sums (now - before) x ln(now / before) over the bars of a column, "
            "missing values being one more bar. A likely key has none: it holds other values each time.",
            f"A column drifted when its PSI is above {MAX_PSI:g} and such a difference by chance (chi-square test) "
            f"would be rarer than {ALPHA:g}. A version holds the rows of the version before, so a small load moves "
            "little.",
            f"{len(found.columns)} columns; the first {_CHARTS} are drawn.",
        ),
    )
