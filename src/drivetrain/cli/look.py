"""``ls``, ``show``, ``trace``, ``doctor`` and ``schema``: looking, without changing anything."""

from __future__ import annotations

import sys

import click
from rich.markup import escape

from drivetrain.cli.exits import UNEXPECTED
from drivetrain.cli.options import REF, Door, command
from drivetrain.cli.output import out, plain, print_json, print_table
from drivetrain.core.refs import Kind, Ref


@click.command()
@click.argument("kind", required=False, type=click.Choice([kind.value for kind in Kind]))
@command("drivetrain ls\ndrivetrain ls release --json")
def ls(door: Door, kind: str | None) -> None:
    """List artefacts, oldest first; of one KIND if it is given."""
    entries = door.open().list(Kind(kind) if kind else None)
    if door.json:
        print_json(entries)
    elif entries:
        rows = [(entry.ref, entry.digest[:12], entry.actor, entry.made_at[:19].replace("T", " ")) for entry in entries]
        print_table(("ref", "digest", "by", "made at (UTC)"), rows)
    else:
        out.print("nothing yet; [bold]next:[/] drivetrain run")


@click.command()
@click.argument("ref", type=REF)
@command("drivetrain show dataset/loans@0\ndrivetrain show report/credit-risk@51c0ffee1234 --json")
def show(door: Door, ref: Ref) -> None:
    """Show one artefact: its facts, its parents, its files."""
    from drivetrain.engine.summary import summary

    project = door.open()
    artifact = project.catalog.find(ref)
    folder = project.catalog.folder(artifact.ref)
    if door.json:
        print_json(artifact)
        return
    out.print(f"[bold]{artifact.ref}[/]  {summary(artifact)}")
    facts = plain(artifact)
    if isinstance(facts, dict):
        for key, value in facts.items():
            if key not in ("ref", "parents") and value not in (None, "", []):
                _show_fact(key, value)
    print_table(("made from",), [(parent,) for parent in artifact.parents])
    if folder.is_dir():
        out.print(f"folder: {folder}")


def _show_fact(key: str, value: object) -> None:
    rows = value if isinstance(value, list) else []
    if rows and isinstance(rows[0], dict):
        header = tuple(name for name in rows[0] if any(row.get(name) is not None for row in rows))
        print_table(header, [tuple(_short(row.get(name)) for name in header) for row in rows], title=key)
    else:
        out.print(f"  {key}: {_short(value)}")


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict) and {"value", "low", "high"} <= set(value):
        return f"{value['name']} {value['value']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(item)}" for key, item in value.items())
    return "" if value is None else str(value)


@click.command()
@click.argument("what")
@command("drivetrain trace 019ab3f0c2d40001\ndrivetrain trace model/credit-risk@9c1185a5c5e9")
def trace(door: Door, what: str) -> None:
    """From a prediction id (or the ref of an artefact) back to release, report, model, data, code, signer, approver."""
    found = door.open().trace(what)
    if door.json:
        print_json(found)
        return
    for step in found.steps:
        out.print(f"[bold]{step.what:<11}[/] {step.name}")
        for key, value in step.facts:
            out.print(f"            [dim]{key}:[/] {escape(value)}")


@click.command()
@command("drivetrain doctor\ndrivetrain doctor --json")
def doctor(door: Door) -> None:
    """Look at Python, libraries, disk, git, the project and its keys; say what is missing and how to mend it."""
    from drivetrain.engine.doctor import examine

    findings = examine(door.file, door.settings)
    if door.json:
        print_json(findings)
    else:
        rows = [(finding.what, finding.state, finding.detail, finding.cure) for finding in findings]
        print_table(("what", "state", "found", "what to do"), rows)
    if any(finding.state == "fail" for finding in findings):
        sys.exit(UNEXPECTED)


@click.command()
@command("drivetrain schema > drivetrain.schema.json")
def schema(door: Door) -> None:
    """Print the JSON schema of drivetrain.yaml, for editors."""
    from drivetrain.core.parse import json_schema

    print_json(json_schema())
