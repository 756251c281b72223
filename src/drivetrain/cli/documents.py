"""``documents``: what is read of a document, and taggers for fields that rules cannot tell."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from drivetrain.cli.options import Door, command
from drivetrain.cli.output import out, print_json, print_table

_FILE = click.Path(path_type=Path)


@click.group()
def documents() -> None:
    """What is read of documents, and how fields are found in them."""


@documents.command("show")
@click.argument("document", type=_FILE)
@click.option("--tagger", type=_FILE, default=None, help="File of a tagger, for the fields that it knows.")
@click.option("--ocr/--no-ocr", default=True, help="Look for letters in pictures and scanned pages.")
@click.option("--mask/--no-mask", default=True, help="Put <email>, <iban> and the like in place of personal data.")
@command("drivetrain documents show bill.pdf\ndrivetrain documents show scan.png --tagger fields.npz --no-mask --json")
def show(door: Door, document: Path, tagger: Path | None, ocr: bool, mask: bool) -> None:
    """Show the text and the fields of one document, as a source of documents would read it."""
    from drivetrain.engine.documents import describe_document, reading_with

    told = describe_document(document, reading_with(tagger, ocr=ocr, masked=mask))
    if door.json:
        print_json(told)
        return
    out.print(told.text, markup=False, highlight=False)
    if told.fields:
        print_table(("field", "value", "page", "score"), [
            (field.kind, field.value, str(field.page), f"{field.score:.2f}") for field in told.fields
        ])  # fmt: skip
    pages = f"{told.pages} page{'s' if told.pages > 1 else ''}"
    out.print(f"{told.media_type}, {pages}, language {told.language or 'unknown'}", highlight=False)
    if told.notes:
        out.print(f"not read: {told.notes}", markup=False, highlight=False)


@documents.command("learn")
@click.argument("marked", type=_FILE)
@click.option("--to", type=_FILE, required=True, help="The file that the tagger is written to.")
@click.option("--tried", type=click.FloatRange(0, 0.9), default=0.2, help="Share of the groups to measure it on.")
@click.option("--ocr/--no-ocr", default=True, help="Look for letters in pictures and scanned pages.")
@click.option("--seed", type=int, default=0, help="Which groups are tried, and the order of learning.")
@command("drivetrain documents learn marked.jsonl --to fields.npz --tried 0.3")
def learn(door: Door, marked: Path, to: Path, tried: float, ocr: bool, seed: int) -> None:
    """Learn to find fields from documents in which somebody marked them, and measure it on groups held back.

    MARKED holds a document a line: {"path": "a.pdf", "group": "acme", "fields": {"total": "9.00 EUR"}}.
    """
    from drivetrain.engine.documents import learn_fields

    with nullcontext() if door.json else out.status("reading"):
        found = learn_fields(marked, to, tried=tried, seed=seed, ocr=ocr)
    if door.json:
        print_json({"file": str(to), "learned_from": found.learned_from, "tried": found.tried, "fields": [
            {"kind": one.kind, "precision": one.precision, "recall": one.recall, "there": one.there}
            for one in found.scores
        ]})  # fmt: skip
        return
    print_table(("field", "precision", "recall", "in how many"), [
        (one.kind, f"{one.precision:.3f}", f"{one.recall:.3f}", str(one.there)) for one in found.scores
    ])  # fmt: skip
    out.print(
        f"{to}: learned from {found.learned_from} documents; measured on {found.tried} held back", highlight=False
    )
    out.print("[bold]next:[/] name it as `tagger` of your source of documents")
