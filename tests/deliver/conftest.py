"""A project whose release is a small model with known answers, inputs in every format, and what came out."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drivetrain.access.verification import VerifiedRelease, verify_release
from drivetrain.core.events import Progress, silent
from drivetrain.deliver.options import Scored, ScoreOptions
from drivetrain.deliver.score import score
from drivetrain.store.catalog import Catalog
from drivetrain.store.models import ModelContent
from drivetrain.store.tables import Table, arrow_type
from drivetrain.testing.graphs import SIGNATURE, as_json, draw, expected_score, logistic_model
from drivetrain.testing.releases import ReleaseMaker

Row = dict[str, object]


def loans(count: int, seed: int = 0) -> list[Row]:
    """Rows as callers send them, with the entity ``case``."""
    return [{"case": f"c{at}", **row} for at, row in enumerate(as_json(draw(count, seed)))]


def scores(count: int, seed: int = 0) -> list[float]:
    """What the model answers for them."""
    return [expected_score(row) for row in draw(count, seed)]


@dataclass
class World:
    """A catalog, a release, and a folder for inputs."""

    home: Path
    maker: ReleaseMaker
    catalog: Catalog
    release: VerifiedRelease

    def use(self, content: ModelContent) -> VerifiedRelease:
        """From now on score with this model."""
        ref = self.maker.release(content).ref
        self.release = verify_release(self.catalog.folder(ref), self.maker.actors, expected=ref)
        return self.release

    def score(self, source: str | Path, to: Path | None = None, progress: Progress = silent, **options) -> Scored:
        path = str(self.home / source) if "@" not in str(source) else str(source)
        return score(path, self.release, to, ScoreOptions(**options), self.catalog, progress)

    def csv(self, name: str, rows: list[Row]) -> Path:
        path = self.home / name
        file = io.StringIO()
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        content = file.getvalue().encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    def jsonl(self, name: str, rows: list[Row]) -> Path:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (self.home / name).write_bytes(pa.compress(content, "zstd", asbytes=True) if name.endswith("zst") else content)
        return self.home / name

    def parquet(self, name: str, rows: list[Row], group: int = 50) -> Path:
        pq.write_table(table_of(rows), self.home / name, row_group_size=group)
        return self.home / name


def table_of(rows: list[Row]) -> pa.Table:
    """Rows in the types of the model."""
    types = {field.name: arrow_type(field.type) for field in SIGNATURE.inputs}
    texts = pa.table({name: pa.array([row[name] for row in rows]) for name in rows[0]})
    columns = {name: column.cast(types.get(name, column.type)) for name, column in zip(rows[0], texts, strict=True)}
    return pa.table(columns)


def predictions(scored: Scored) -> list[Row]:
    """What came out, in the order of the input."""
    rows = pq.read_table(scored.output) if list(scored.output.glob("rows-*.parquet")) else Table(scored.output).read()
    return sorted(rows.to_pylist(), key=lambda row: (row["file"], row["row"]))


def bad_rows(scored: Scored) -> list[Row]:
    """What was quarantined, in the order of the input."""
    place = scored.quarantine
    if place is None:
        return []
    rows = pq.read_table(place) if list(place.glob("rows-*.parquet")) else Table(place).read()
    return sorted(rows.to_pylist(), key=lambda row: (row["portion"], row["row"]))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    maker = ReleaseMaker(tmp_path)
    with Catalog(tmp_path) as catalog:
        made = World(tmp_path, maker, catalog, None)  # type: ignore[arg-type]  # the next line gives it one
        made.use(logistic_model())
        yield made


def close(found: list[float], expected: list[float]) -> bool:
    """Whether scores are the same but for the last digits."""
    return len(found) == len(expected) and bool(np.allclose(found, expected, rtol=0, atol=1e-9))
