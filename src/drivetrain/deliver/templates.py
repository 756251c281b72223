"""Texts in which ``{column}`` stands for a value of the row: the topic of a message, the subject of a ticket."""

from __future__ import annotations

from collections.abc import Iterable
from string import Formatter

from drivetrain.core.errors import InvalidInput, examples
from drivetrain.deliver.json_rows import Row, as_text


class Template:
    """One text, taken apart. ``{{`` and ``}}`` stand for the braces themselves."""

    def __init__(self, text: str, option: str) -> None:
        """``option`` is the key of the project file that holds it. Raises InvalidInput for what is no template."""
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise _invalid(text, option, str(error)) from None
        for _, column, form, conversion in parts:
            if column == "" or form or conversion:
                raise _invalid(text, option, "between braces stands the name of a column, and nothing else")
        self._parts = [(before, column) for before, column, _, _ in parts]
        self._option = option

    def check(self, columns: Iterable[str]) -> None:
        """Raise InvalidInput for a column that the rows do not have."""
        for _, column in self._parts:
            if column is not None:
                known_column(column, columns, self._option)

    def value(self, row: Row) -> object:
        """The text with the row's values; where it is a column and nothing else, that value as it is."""
        if len(self._parts) == 1 and self._parts[0][0] == "" and self._parts[0][1] is not None:
            return row[self._parts[0][1]]
        return "".join(before + ("" if column is None else as_text(row[column])) for before, column in self._parts)

    def values(self, row: Row) -> list[str]:
        """The row's values in it, as text."""
        return [as_text(row[column]) for _, column in self._parts if column is not None]


def known_column(name: str, columns: Iterable[str], option: str) -> str:
    """The name of a column. Raises InvalidInput for one that the rows do not have."""
    names = list(columns)
    if name not in names:
        raise InvalidInput(
            "outlet_column_unknown",
            f"no column that leaves is called {name!r}",
            where=option,
            hint=f"columns: {examples(names, 20)}; add one below `columns`, or correct `{option}`",
        )
    return name


def _invalid(text: str, option: str, why: str) -> InvalidInput:
    hint = "write {column} for the value of a column, {{ and }} for braces"
    return InvalidInput("outlet_template_invalid", f"{text!r}: {why}", where=option, hint=hint)
