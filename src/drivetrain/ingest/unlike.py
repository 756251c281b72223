"""How the values of a load differ from those before: new categories, other units, columns under new names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from drivetrain.core.changes import SourceChange
from drivetrain.core.contract import Contract
from drivetrain.core.errors import examples
from drivetrain.ingest.sketch import FEW, ColumnSketch, Measured, Sketch
from drivetrain.ops.units import distance, unit_step

_ROWS_A_TEXT = 20  # a column has categories when each text has so many values, on average
_FEWEST = 100
_SURE, _LIKELY = 0.8, 0.5
_TELLING = 3  # texts in common tell a column; yes and no do not
_TIE = 0.1
_NUMBERS = ("int64", "double")


def value_changes(before: Sketch, load: Mapping[str, Measured], contract: Contract) -> tuple[SourceChange, ...]:
    """The new categories and other units of a load. Columns whose values the contract lists are not looked at."""
    return tuple(_value_changes(before, load, contract))


def _value_changes(before: Sketch, load: Mapping[str, Measured], contract: Contract) -> Iterator[SourceChange]:
    unique = {*contract.key, *(name for name, rule in contract.columns.items() if rule.unique)}
    for name, now in load.items():
        known, rule = before.get(name), contract.columns.get(name)
        if known is None or known.type != now.type:
            continue
        if known.texts is not None and (rule is None or rule.one_of is None):
            yield from _categories(name, known, now)
        if now.level and known.levels and known.type in _NUMBERS and name not in unique and not now.grows:
            step = unit_step(now.level, known.levels)
            if step is not None:
                middle = f"median {known.levels[-1][2]:.6g} -> {now.level[2]:.6g}"
                yield SourceChange("unit", name, new=str(step), note=middle)


def _categories(name: str, known: ColumnSketch, now: Measured) -> Iterator[SourceChange]:
    if known.texts is None or not _has_categories(known):
        return
    if now.texts is None:
        yield SourceChange("category", name, new=f"more than {FEW} values", note=f"so far {examples(known.texts)}")
        return
    new = {text: rows for text, rows in now.texts.items() if text not in known.texts}
    if new:
        rows = sum(new.values())
        note = f"in {rows:,} row{'s' if rows != 1 else ''}; so far {examples(known.texts)}"
        yield SourceChange("category", name, new=", ".join(map(repr, sorted(new))), note=note)


def _has_categories(known: ColumnSketch) -> bool:
    return known.texts is not None and known.values >= max(_FEWEST, _ROWS_A_TEXT * len(known.texts))


def renamed(
    dropped: Mapping[str, str], new: Mapping[str, str], before: Sketch, load: Mapping[str, Measured]
) -> dict[str, tuple[str, str]]:
    """Of the columns that are gone and those that are new (name to type), which pairs are one: old name to new name.

    With each new name stands why. A pair that is not clearly the best for both of its columns is none.
    """
    scores: dict[tuple[str, str], tuple[float, str]] = {}
    for old, old_type in dropped.items():
        for name, kind in new.items():
            if kind == old_type:
                scores[old, name] = _likeness(old, name, before.get(old), load.get(name))
    found = {}
    for (old, name), (score, why) in scores.items():
        rivals = [other for (one, two), (other, _) in scores.items() if ((one == old) != (two == name))]
        if score > 0 and score > max(rivals, default=0.0) + _TIE:
            found[old] = (name, why)
    return found


def _likeness(old: str, new: str, before: ColumnSketch | None, load: Measured | None) -> tuple[float, str]:
    """From 0 (two columns) to 2 (one under another name), and why."""
    names = SequenceMatcher(None, _plain(old), _plain(new)).ratio()
    values, tells = _values_alike(before, load)
    said = f"names {names:.0%} alike" + ("" if values is None else f", values {values:.0%}")
    if values is None:  # q1 and q2 are two columns
        same = re.sub(r"\d", "", _plain(old)) == re.sub(r"\d", "", _plain(new))
        return (names, said) if names >= _SURE and not (same and _plain(old) != _plain(new)) else (0.0, said)
    one = (values >= _LIKELY and names >= _LIKELY) or (values >= _SURE and tells)
    return (names + values, said) if one else (0.0, said)


def _values_alike(before: ColumnSketch | None, load: Measured | None) -> tuple[float | None, bool]:
    """How alike the values are, None where that cannot be told; and whether so much is no chance."""
    if before is None or load is None or before.type != load.type:
        return None, False
    if before.texts is not None and load.texts and _has_categories(before) and load.values >= _ROWS_A_TEXT:
        share = len(set(before.texts) & set(load.texts)) / len(load.texts)
        return share, share > 0 and len(load.texts) >= _TELLING
    if load.level is None or not before.levels:
        return None, False
    near = min(distance(load.level, level) for level in before.levels)
    return max(0.0, 1 - near), before.type != "string" and not load.grows


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
