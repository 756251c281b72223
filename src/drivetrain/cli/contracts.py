"""``contracts``: changes of sources that wait for a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.markup import escape

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table

if TYPE_CHECKING:
    from drivetrain.engine.reviews import ReviewState


@click.group()
def contracts() -> None:
    """Review changed sources: list what waits, show one, accept or reject it as a second person."""


@contracts.command("list")
@click.option("--all", "every", is_flag=True, help="Also what was decided, loaded or is outdated.")
@command("drivetrain contracts list\ndrivetrain contracts list --all --json")
def list_reviews(door: Door, every: bool) -> None:
    """List the changes of sources that wait: for a decision, or accepted for the next load."""
    from drivetrain.engine.reviews import list_reviews

    found = [one for one in list_reviews(door.open()) if every or one.state in ("waiting", "accepted")]
    if door.json:
        print_json([_facts(one) for one in found])
        return
    header = ("review", "state", "changes", "asked (UTC)", "by", "decided by")
    print_table(header, [
        (f"{one.review.name}@{one.review.ref.version}", one.state, "; ".join(map(str, one.review.changes)),
         one.asked_at[:19].replace("T", " "), one.asked_by, _decider(one))
        for one in found
    ])  # fmt: skip
    if not found:
        out.print("nothing waits")


@contracts.command("show")
@click.argument("name")
@command("drivetrain contracts show loans\ndrivetrain contracts show loans@3fa9c2d1e0b4 --json")
def show_review(door: Door, name: str) -> None:
    """Show a change of the source NAME (or of NAME@DIGEST): what is other, examples, who reads it, the decision."""
    from drivetrain.engine.reviews import find_review

    found = find_review(door.open(), name)
    if door.json:
        print_json(_facts(found))
        return
    out.print(f"[bold]{found.review.ref}[/] {found.state}, asked by {found.asked_by} at {found.asked_at[:19]}")
    for change in found.review.changes:
        note = "" if change.kind == "volume" or not change.note else f"  ({change.note})"
        out.print(f"  {escape(str(change) + note)}", highlight=False)
    if found.review.readers:
        out.print("read by:")
    for reader in found.review.readers:
        out.print(f"  {escape(reader)}")
    if found.review.decision is not None:
        said = found.review.decision.said
        out.print(f"{found.review.decision.verdict}ed by {said.actor} ({said.role}) at {said.at[:19]}: {said.comment}")


@contracts.command("accept")
@click.argument("name")
@click.option("--comment", default="", help="What you looked at; it is signed with the decision.")
@click.option("--no-edit", is_flag=True, help="Leave drivetrain.yaml as it is, also where its contract forbids this.")
@command('drivetrain contracts accept loans --as alex --comment "agreed with the bank"')
def accept_review(door: Door, name: str, comment: str, no_edit: bool) -> None:
    """Agree to a change of the source NAME (or NAME@DIGEST) as a second person: the next load carries exactly this.

    Where the contract in drivetrain.yaml forbids it, the file is changed: the difference is shown.
    """
    from drivetrain.engine.reviews import accept_review

    found = accept_review(door.open(), name, comment, edit=not no_edit)
    if door.json:
        print_json(found)
        return
    out.print(f"[green]✓[/] {found.review.ref} accepted")
    if found.edit:
        out.print(found.edit, markup=False, highlight=False)
    if found.by_hand:
        said = escape("; ".join(map(str, found.by_hand)))
        out.print(f"[yellow]![/] the contract of {found.review.name} forbids it still; change it by hand: {said}")
    out.print(f"[bold]next:[/] drivetrain ingest {found.review.name}")


@contracts.command("reject")
@click.argument("name")
@click.option("--comment", required=True, help="Why; whoever loads the source reads it.")
@command('drivetrain contracts reject loans --as alex --comment "income is in euros again"')
def reject_review(door: Door, name: str, comment: str) -> None:
    """Refuse a change of the source NAME (or NAME@DIGEST) for good; the load goes on being refused, with the reason."""
    from drivetrain.engine.reviews import decide_review

    review = decide_review(door.open(), name, "reject", comment)
    if door.json:
        print_json(review)
    else:
        out.print(f"[green]✓[/] {review.ref} rejected")


def _decider(found: ReviewState) -> str:
    return found.review.decision.said.actor if found.review.decision else ""


def _facts(found: ReviewState) -> dict[str, object]:
    review = found.review
    decision = review.decision and {"verdict": review.decision.verdict, "said": review.decision.said}
    return {
        "review": review.ref, "state": found.state, "asked_by": found.asked_by, "asked_at": found.asked_at,
        "changes": [{"text": str(change), "kind": change.kind, "column": change.column, "old": change.old,
                     "new": change.new, "note": change.note} for change in review.changes],
        "readers": review.readers, "decision": decision,
    }  # fmt: skip
