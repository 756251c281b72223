"""``approve``, ``verify``, ``actors``, ``keys`` and ``forget``: who stands for what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from drivetrain.access.scopes import SCOPES, Scope
from drivetrain.cli.options import REF, Door, command
from drivetrain.cli.output import out, print_json, print_table
from drivetrain.core.errors import examples
from drivetrain.core.refs import Ref
from drivetrain.core.roles import Role


@click.command()
@click.argument("release", type=REF, required=False)
@click.option("--comment", default="", help="What you looked at; it is signed with the approval.")
@command(
    'drivetrain approve --as ai-engineer --comment "reviewed the model card"\n'
    "drivetrain approve release/my-risk@3fa9c2d1e0b4"
)
def approve(door: Door, release: Ref | None, comment: str) -> None:
    """Sign a release (the newest by default) as the other engineer. It takes another person with the other role."""
    approved = door.open().approve(release, comment)
    if door.json:
        print_json(approved)
    elif approved.approval is not None:
        out.print(f"[green]✓[/] {approved.ref} approved by {approved.approval.actor}")
        out.print("[bold]next:[/] drivetrain deploy")


@click.command()
@click.argument("release", required=False)
@click.option("--unapproved", is_flag=True, help="Accept a release that nobody approved yet.")
@command("drivetrain verify\ndrivetrain verify release/credit-risk@3fa9c2d1e0b4\ndrivetrain verify ./unpacked-release")
def verify(door: Door, release: str | None, unapproved: bool) -> None:
    """Check every byte of a release (a ref or a folder; the newest by default) against both signatures. Offline."""
    what = None if release is None else Ref.parse(release) if "@" in release else Path(release)
    verified = door.open().verify(what, need_approval=not unapproved)
    facts = {"release": verified.ref, "verdict": verified.manifest.verdict, "files": len(verified.files),
             "signed": verified.signed, "approval": verified.approval}  # fmt: skip
    if door.json:
        print_json(facts)
        return
    out.print(f"[green]✓[/] {len(verified.files)} files are what was signed")
    out.print(f"  signed by {verified.signed.actor} ({verified.signed.role}) at {verified.signed.at}")
    if verified.approval:
        out.print(f"  approved by {verified.approval.actor} ({verified.approval.role}) at {verified.approval.at}")


@click.group()
def actors() -> None:
    """Who may sign and approve: names, roles and public keys in actors.yaml."""


@actors.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--public-key", help="Base64 of the public key of somebody on another machine.")
@command("drivetrain actors add mia --role ml-engineer")
def add_actor(door: Door, name: str, role: str, public_key: str | None) -> None:
    """Enter a person: makes a key pair here, or takes the public key of one on another machine."""
    actor = door.open().add_actor(name, Role(role), public_key)
    if door.json:
        print_json(actor)
    else:
        out.print(f"[green]✓[/] {actor.name} ({actor.role}) is in actors.yaml; commit that file")


@actors.command("remove")
@click.argument("name")
@command("drivetrain actors remove max --as ada")
def remove_actor(door: Door, name: str) -> None:
    """Trust a person no longer. What they signed or approved is refused until somebody else signs it."""
    signed = door.open().remove_actor(name)
    if door.json:
        print_json({"removed": name, "releases": signed})
        return
    out.print(f"[green]✓[/] {name} is out of actors.yaml; commit that file")
    if signed:
        out.print(f"  refused from now on, with {name}'s signature: {examples(signed)}")
        out.print("[bold]next:[/] drivetrain release --force, then drivetrain approve; the release stays the same one")


@actors.command("list")
@command("drivetrain actors list")
def list_actors(door: Door) -> None:
    """List the actors, and whose private keys are on this machine."""
    project = door.open()
    local = project.local_names()
    rows = [
        {"name": actor.name, "role": actor.role, "key here": name in local} for name, actor in project.actors.items()
    ]
    if door.json:
        print_json(rows)
    else:
        print_table(("name", "role", "key here"), [tuple(row.values()) for row in rows])


@click.group()
def keys() -> None:
    """API keys of the prediction service. Only their SHA-256 is kept."""


def _limits(function: Callable[..., None]) -> Callable[..., None]:
    rate = click.option("--rate", type=float, help="Requests a second, with bursts of one second.")
    rows = click.option("--rows-per-day", type=int, help="Rows from midnight to midnight UTC.")
    return rate(rows(function))


@keys.command("add")
@click.argument("name")
@_limits
@click.option(
    "--only", type=click.Choice(list(SCOPES)), multiple=True, help="What it is good for, else everything; repeatable."
)
@command(
    "drivetrain keys add web-shop\ndrivetrain keys add partner --rate 100 --rows-per-day 1000000\n"
    "drivetrain keys add widget --only chat --rate 5"
)
def add_key(door: Door, name: str, rate: float | None, rows_per_day: int | None, only: tuple[Scope, ...]) -> None:
    """Make a key for a caller; it is shown once. Limits that are not given are the service's.

    A key that others can see, such as that of a page's widget, should be good for one kind of question only.
    """
    secret = door.open().add_key(name, requests_per_second=rate, rows_per_day=rows_per_day, only=only)
    if door.json:
        print_json({"name": name, "key": secret, "only": only or None})
    else:
        out.print(secret)


@keys.command("limit")
@click.argument("name")
@_limits
@command("drivetrain keys limit partner --rate 20 --rows-per-day 50000\ndrivetrain keys limit partner")
def limit_key(door: Door, name: str, rate: float | None, rows_per_day: int | None) -> None:
    """Give a caller's key other limits, also while the service runs. Limits that are not given are the service's."""
    door.open().limit_key(name, requests_per_second=rate, rows_per_day=rows_per_day)
    if door.json:
        print_json({"name": name, "requests_per_second": rate, "rows_per_day": rows_per_day})
    else:
        out.print(f"[green]✓[/] the limits of {name} are changed; the running server follows within a second")


@keys.command("list")
@command("drivetrain keys list")
def list_keys(door: Door) -> None:
    """List who holds a key, what it is good for, its limits, and the rows it used today (UTC)."""
    uses = door.open().key_uses()
    if door.json:
        print_json(uses)
    else:
        rows = [
            (
                use.name, ", ".join(use.only or ("everything",)), _amount(use.requests_per_second),
                _amount(use.rows_per_day), _amount(use.rows_today),
            )
            for use in uses
        ]  # fmt: skip
        print_table(("name", "good for", "requests/s", "rows a day", "rows today"), rows)


def _amount(limit: float | None) -> str:
    return "any" if limit is None else f"{limit:,.10g}"


@keys.command("revoke")
@click.argument("name")
@command("drivetrain keys revoke web-shop")
def revoke_key(door: Door, name: str) -> None:
    """Take a caller's key back; the running server refuses it at once."""
    door.open().revoke_key(name)
    if door.json:
        print_json({"revoked": name})
    else:
        out.print(f"[green]✓[/] the key of {name} no longer works")


@click.command()
@click.argument("who")
@command("drivetrain forget ann@example.com\ndrivetrain forget kq3V0mM7b2Jc9nXw1RzT4g --json")
def forget(door: Door, who: str) -> None:
    """Delete the conversations of a person, with what was handed over of them; their predictions lose the session.

    WHO is a session, or what the person answered when they were asked for it. Tells what outlets have delivered.
    """
    from drivetrain.engine.forgetting import forget as forget_person

    told = forget_person(door.open(), who)
    if door.json:
        print_json(told)
        return
    out.print(f"[green]✓[/] {told.conversations} conversations deleted, {told.predictions} predictions detached")
    for left in told.elsewhere:
        out.print(f"[yellow]![/] delivered by the outlet {left.outlet}: {left.said or 'nothing was said of it'}")
    if told.elsewhere:
        out.print("[bold]next:[/] delete it there too")
