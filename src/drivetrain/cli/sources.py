"""``sources``: what the sources of a project are, whether they answer, what is in them, what was loaded."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from drivetrain.cli.exits import ALARMED
from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, plain, print_json, print_table
from drivetrain.core.errors import examples

if TYPE_CHECKING:
    from drivetrain.engine.sources import SourceState
    from drivetrain.ingest.proposal import Proposal

_MOST = 1_000
_MOST_TO_PROPOSE = 1_000_000
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_TEMPLATES = ("adf-ingest", "adf-predict")
_TEXT = 60  # characters of a row that cannot be taken apart


@click.group()
def sources() -> None:
    """Look at the sources: list them, test a connection, sample rows, profile what was loaded."""


@sources.command("list")
@command("drivetrain sources list\ndrivetrain sources list --json")
def list_sources(door: Door) -> None:
    """List the sources of the project file, with their newest load. Asks no source."""
    from drivetrain.engine.sources import list_sources

    found = list_sources(door.open())
    if door.json:
        print_json(found)
        return
    header = ("name", "kind", "where", "last load (UTC)", "rows", "quarantined", "freshness", "due by (UTC)")
    print_table(header, [
        (one.name, one.kind, one.where, _moment(one.loaded_at or "never"), _count(one.rows),
         _count(one.quarantined), "" if one.freshness == "none" else one.freshness, _moment(one.due or ""))
        for one in found
    ])  # fmt: skip
    _print_alarms(found)


@sources.command("check")
@click.argument("names", nargs=-1)
@command("drivetrain sources check\ndrivetrain sources check loans --json")
def check_sources(door: Door, names: tuple[str, ...]) -> None:
    """Say what is not as expected of the sources (or of NAMES): volume, pace, freshness. For schedulers: exit code 14.

    Asks no source: it looks at the newest load, and at how long ago it was.
    """
    from drivetrain.engine.sources import check_sources

    found = check_sources(door.open(), names)
    if door.json:
        print_json([{"source": one.name, "due": one.due, "alarms": one.alarms} for one in found])
    elif not _print_alarms(found):
        never = examples(one.name for one in found if one.loaded_at is None)
        out.print(f"[green]✓[/] every source is as expected{never and f'; not loaded yet: {never}'}")
    if any(one.alarms for one in found):
        sys.exit(ALARMED)


def _print_alarms(found: Sequence[SourceState]) -> int:
    """A line for each alarm; gives their number."""
    alarms = [(one.name, alarm) for one in found for alarm in one.alarms]
    for name, alarm in alarms:
        out.print(f"[yellow]![/] {name}: {escape(alarm.text)}")
    return len(alarms)


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


@sources.command("test")
@click.argument("name")
@command("drivetrain sources test loans\ndrivetrain sources test loans --json")
def test_source(door: Door, name: str) -> None:
    """Connect to a source and say what is there; an error says what to do. Reads no rows."""
    from drivetrain.engine.sources import test_source

    found = test_source(door.open(), name)
    if door.json:
        print_json(found)
        return
    portions = f"{found.portions:,} portion{'s' if found.portions != 1 else ''}"
    out.print(f"[green]✓[/] {found.name} ({found.kind}) answers in {found.seconds:.2f} s: {portions}")
    notes = any(one.note for one in found.first)
    print_table(
        ("portion", "size", *(("note",) if notes else ())),
        [(one.name, f"{one.size:,}" if one.size else "", *((one.note,) if notes else ())) for one in found.first],
    )
    if found.portions > len(found.first):
        out.print(f"and {found.portions - len(found.first):,} more")


@sources.command("sample")
@click.argument("name")
@click.option("-n", "--rows", type=click.IntRange(1, _MOST), default=10, show_default=True, help="How many rows.")
@command("drivetrain sources sample loans\ndrivetrain sources sample loans -n 50 --json")
def sample_source(door: Door, name: str, rows: int) -> None:
    """Show the first rows of a source, their types, and which of them the contract would refuse. Loads nothing."""
    from drivetrain.engine.sources import sample_source

    found = sample_source(door.open(), name, rows)
    if door.json:
        print_json(found)
        return
    print_table(("column", "type"), [(column.name, column.type) for column in found.columns])
    print_table(
        ("row", *(column.name for column in found.columns)),
        [
            (row.number, *("" if value is None else value for value in row.values))
            for row in found.rows
            if not row.broken
        ],
    )
    refused = [row for row in found.rows if row.refused]
    for row in refused:
        shown = f" ({row.broken[:_TEXT]})" if row.broken else ""
        out.print(
            f"[red]refused[/] row {row.number} of {escape(row.portion + shown)}: {escape('; '.join(row.refused))}"
        )
    out.print(f"{len(found.rows)} rows, {len(refused)} of them the contract would refuse; nothing was loaded")


@sources.command("propose")
@click.argument("name")
@click.option(
    "-n", "--rows", type=click.IntRange(1, _MOST_TO_PROPOSE), default=10_000, show_default=True, help="How many rows."
)
@command("drivetrain sources propose loans\ndrivetrain sources propose loans -n 100000 --json")
def propose_contract(door: Door, name: str, rows: int) -> None:
    """Propose a contract that fits the first rows of a source: read it, correct it, copy it. Changes nothing."""
    from drivetrain.engine.sources import propose_contract

    found = propose_contract(door.open(), name, rows)
    if door.json:
        print_json(found)
        return
    for line in contract_lines(found):
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def contract_lines(found: Proposal) -> Iterator[str]:
    """The section ``contract`` as YAML; doubts stand behind their column."""
    yield f"    contract:  # fits the first {found.rows:,} rows"
    if found.key:
        yield f"      key: [{', '.join(map(_yaml, found.key))}]"
    yield "      columns:"
    for column in found.columns:
        rules = [f"type: {column.type}"]
        rules += [f"format: {_yaml(column.format)}"] if column.format else []
        rules += ["nullable: false"] if not column.nullable else []
        rules += [f"one_of: [{', '.join(map(_yaml, column.one_of))}]"] if column.one_of else []
        doubts = f"  # {'; '.join(column.doubts)}" if column.doubts else ""
        yield f"        {_yaml(column.name)}: {{{', '.join(rules)}}}{doubts}"


def _yaml(text: str) -> str:
    """Bare where YAML could not take it for anything else."""
    plain = re.fullmatch(r"[A-Za-z_][\w-]*", text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


@sources.command("profile")
@click.argument("name")
@command("drivetrain sources profile loans\ndrivetrain sources profile loans --json")
def profile_source(door: Door, name: str) -> None:
    """Write a page about what was loaded: distributions, missing values, keys, drift against the version before."""
    from drivetrain.engine.sources import profile_source

    found = profile_source(door.open(), name)
    profile = found.profile
    if door.json:
        value = plain(profile)
        assert isinstance(value, dict)
        print_json({**value, "page": found.page})
        return
    header = ("column", "type", "missing", "distinct", "lowest", "highest", "PSI")
    print_table(header, [
        (one.name, one.type, f"{one.missing / max(1, profile.rows):.1%}", f"{one.distinct:,}", one.low, one.high,
         "" if one.psi is None else f"{one.psi:.3f}{' drifted' if one.moved else ''}")
        for one in profile.columns
    ])  # fmt: skip
    keys = ", ".join(profile.keys) or "none"
    out.print(
        f"{profile.dataset}: {profile.rows:,} rows; likely keys: {keys}; against {profile.before or 'nothing yet'}"
    )
    out.print(f"page: {found.page}")


@sources.command("template")
@click.argument("name", type=click.Choice(_TEMPLATES))
@command("drivetrain sources template adf-predict > predict.json\ndrivetrain sources template adf-ingest > ingest.json")
def show_template(_door: Door, name: str) -> None:
    """Print a pipeline of Azure Data Factory that calls Drivetrain: import it, and set its parameters."""
    click.echo((files("drivetrain.cli") / "templates" / f"{name}.json").read_text(encoding="utf-8"), nl=False)


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
