"""Whether a challenger can take the rows that callers send to the champion, and says the same kind of thing."""

from __future__ import annotations

from drivetrain.core.model import InputField, Signature
from drivetrain.core.schema import ColumnType


def accepts(wanted: ColumnType, given: ColumnType) -> bool:
    """Whether every value of type ``given`` is one of type ``wanted``: an integer is a number, nothing else is both."""
    return given is wanted or (given is ColumnType.INTEGER and wanted is ColumnType.NUMBER)


def obstacles(champion: Signature, challenger: Signature) -> tuple[str, ...]:
    """Why rows made for the champion may not fit the challenger, by column; empty when all of them fit.

    Columns that only the champion takes are no obstacle, nor are new ones that may be missing; nor are new classes
    beside all those that the champion knows.
    """
    found = [
        f"the {what} is {after!r}, not {before!r}"
        for what, before, after in (
            ("entity", champion.entity, challenger.entity),
            ("target", champion.target, challenger.target),
            ("task", champion.task.value, challenger.task.value),
        )
        if before != after
    ]
    if champion.task is challenger.task:
        lost = [name for name in champion.classes if name not in challenger.classes]
        found += [f"it does not know the class {name!r}" for name in lost]
    known = {field.name: field for field in champion.inputs}
    said = (_obstacle(known.get(field.name), field) for field in challenger.inputs)
    return (*found, *(each for each in said if each))


def _obstacle(before: InputField | None, after: InputField) -> str:
    if before is None:
        return "" if after.nullable else f"{after.name!r} is new and must be given"
    if not accepts(after.type, before.type):
        return f"{after.name!r} is {with_article(after.type)}, not {with_article(before.type)}"
    if before.nullable and not after.nullable:
        return f"{after.name!r} must be given, and was free to be missing"
    return ""


def with_article(kind: ColumnType) -> str:
    """The type as a sentence names it."""
    return f"{'an' if kind is ColumnType.INTEGER else 'a'} {kind}"
