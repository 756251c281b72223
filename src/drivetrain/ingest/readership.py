"""Who reads a column: the features whose SQL names it, the models that learned from them, and the live services."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from drivetrain.core.artifacts import Deployment, Features
from drivetrain.core.errors import examples
from drivetrain.core.refs import Kind, Ref
from drivetrain.store.catalog import Catalog

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_EVERYTHING = re.compile(r"(select|distinct|,|\.)\s*\*", re.IGNORECASE)


def readership(catalog: Catalog, dataset: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """A line for each artefact that stands on the dataset and reads one of the columns; the newest of each name.

    SQL that cannot be found counts as reading: nobody can say that it does not.
    """
    entries = catalog.list(Kind.DATASET, dataset)
    newest = _newest(child for entry in entries for child in catalog.children(entry.ref) if child.kind is Kind.FEATURES)
    lines: list[str] = []
    for ref in newest:
        features = catalog.get(Features, ref)
        found = [line for file in features.sql if (line := _reads(catalog.home / file.path, file.path, columns))]
        if found:
            lines.append(f"{ref}: {'; '.join(found)}")
            every = [entry.ref for entry in catalog.list(Kind.FEATURES, ref.name)]
            models = (child for one in every for child in catalog.children(one) if child.kind is Kind.MODEL)
            lines += [f"{model}: learned from {ref.kind}/{ref.name}" for model in _newest(models)]
    return (*lines, *_live(catalog, dataset, columns))


def _live(catalog: Catalog, dataset: str, columns: tuple[str, ...]) -> Iterator[str]:
    """The releases that serve now and read a column, by the SQL that lies in them: that of today may be another."""
    for service in catalog.names(Kind.DEPLOYMENT):
        now = catalog.latest(Deployment, service)
        for release in now.releases if now else ():
            ancestors = catalog.ancestors(release)
            if any((one.kind, one.name) == (Kind.DATASET, dataset) for one in ancestors):
                features = (catalog.get(Features, one) for one in ancestors if one.kind is Kind.FEATURES)
                files = [file.path for each in features for file in each.sql]
                folder = catalog.folder(release) / "project"
                found = [line for file in files if (line := _reads(folder / file, file, columns))]
                if found:
                    yield f"live service {service}: {release}, where {'; '.join(found)}"


def _newest(refs: Iterable[Ref]) -> tuple[Ref, ...]:
    """The last ref of each name; refs come oldest first."""
    return tuple({ref.name: ref for ref in refs}.values())


def _reads(path: Path, name: str, columns: tuple[str, ...]) -> str:
    if not path.is_file():
        return f"{name} is not there to look at"
    sql = _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))
    named = [column for column in columns if re.search(rf"(?<!\w){re.escape(column)}(?!\w)", sql, re.IGNORECASE)]
    if named:
        return f"{name} reads {examples(named)}"
    return f"{name} reads every column (*)" if columns and _EVERYTHING.search(sql) else ""
