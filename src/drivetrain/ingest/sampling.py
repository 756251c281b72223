"""Looking at a source without loading it: what is there, and the first rows as its contract sees them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from drivetrain.connect.place import place_of
from drivetrain.core.contract import Contract
from drivetrain.core.credentials import Secrets
from drivetrain.core.schema import Column, Schema
from drivetrain.core.sources import SourceSpec
from drivetrain.ingest.columns import Columns
from drivetrain.ingest.destination import Destination
from drivetrain.ingest.evolution import evolve
from drivetrain.ingest.reading import Batch, Portion, Reader, Tried, Waiter, opened
from drivetrain.ingest.rules import check_columns
from drivetrain.ingest.staging import Staging
from drivetrain.store.catalog import Catalog
from drivetrain.store.files.batches import Change
from drivetrain.store.files.parquet import as_text

_SHOWN = 20


@dataclass(frozen=True)
class Answer:
    """What a source said when it was asked: how many portions, their sizes together, the first 20, the seconds."""

    name: str
    kind: str
    portions: int
    size: int
    first: tuple[Portion, ...]
    seconds: float


@dataclass(frozen=True)
class SampleRow:
    """A row as the source has it: a text for each column (None: missing), and why the contract would refuse it.

    A row that cannot be taken apart has no ``values``, and its text in ``broken``.
    """

    portion: str
    number: int
    values: tuple[str | None, ...]
    refused: tuple[str, ...] = ()
    broken: str = ""


@dataclass(frozen=True)
class Sample:
    """The first rows of a source; the types are the contract's, the source's own, or what the values look like."""

    columns: tuple[Column, ...]
    rows: tuple[SampleRow, ...]


def ask(spec: SourceSpec, name: str, catalog: Catalog, secrets: Secrets) -> Answer:
    """Connect and count the portions. Raises NotFound, or Transient when the source does not answer."""
    begun = time.perf_counter()
    with opened(spec, place_of(catalog, secrets)) as reader:
        portions = reader.discover()
        if isinstance(reader, Tried):
            reader.try_out()
    size = sum(portion.size for portion in portions)
    return Answer(name, spec.kind, len(portions), size, portions[:_SHOWN], time.perf_counter() - begun)


def sample(spec: SourceSpec, name: str, catalog: Catalog, secrets: Secrets, count: int) -> Sample:
    """Read up to ``count`` rows and judge them; nothing is loaded, and the source keeps all of them.

    From the start of the source; of one that is waited for (a queue), what was not loaded yet. Raises what reading
    raises, and Refused when the contract names a column that these rows do not have or cannot be evaluated.
    """
    batches = tuple(_first_batches(spec, name, catalog, secrets, count))
    with tempfile.TemporaryDirectory() as work:
        return _judged(batches, spec.contract, Path(work) / "sample", f"sample of {name}")


def first_rows(spec: SourceSpec, name: str, catalog: Catalog, secrets: Secrets, count: int) -> pa.Table:
    """The texts of the first ``count`` rows, by column in the order of the source; broken rows are left out."""
    texts = [
        pa.table({column: as_text(batch.rows.column(column).combine_chunks()) for column in batch.rows.column_names})
        for batch in _first_batches(spec, name, catalog, secrets, count)
    ]
    return pa.concat_tables(texts, promote_options="default") if texts else pa.table({})


def _first_batches(spec: SourceSpec, name: str, catalog: Catalog, secrets: Secrets, count: int) -> Iterator[Batch]:
    """With the columns as the table knows them."""
    target = Destination(catalog, name)
    with opened(spec, place_of(catalog, secrets)) as reader:
        cursor = target.standing.reader if isinstance(reader, Waiter) else ""
        for batch in _first(reader, cursor, count):
            yield target.naming(spec.contract).applied(batch)


def _first(reader: Reader, cursor: str, count: int) -> Iterator[Batch]:
    """The first ``count`` rows, but those that only say which rows go."""
    left = count
    for item in reader.read(cursor):
        if not isinstance(item, Batch) or item.change is Change.DROP:
            continue
        broken = item.broken[:left]
        rows = min(item.rows.num_rows, left - len(broken))
        left -= rows + len(broken)
        yield replace(item, rows=item.rows.slice(0, rows), numbers=item.numbers.slice(0, rows), broken=broken)
        if left <= 0:
            return


def _judged(batches: tuple[Batch, ...], contract: Contract, work: Path, where: str) -> Sample:
    """Twice: to see the columns and what their values look like, then by their types, as a load does."""
    with _staged(batches, contract, None, work, where) as staging:
        found = evolve(staging.columns, contract)
    check_columns(contract, found.source, where)
    with _staged(batches, contract, found.table, work, where) as staging:
        staging.part_repeats(None)
        bad = staging.bad("").read_all().to_pylist()
    columns = tuple(found.table.column(name) for name in found.source)
    refused = {(row["portion"], row["row"]): tuple(row["reasons"]) for row in bad}
    rows = [row for batch in batches for row in _rows(batch, found.source)]
    return Sample(columns, tuple(replace(row, refused=refused.get((row.portion, row.number), ())) for row in rows))


@contextmanager
def _staged(
    batches: tuple[Batch, ...], contract: Contract, table: Schema | None, work: Path, where: str
) -> Iterator[Staging]:
    with Staging(work, contract, Columns(contract, Schema(()), table), where) as staging:
        for batch in batches:
            staging.add(batch)
        staging.settle()
        yield staging


def _rows(batch: Batch, names: tuple[str, ...]) -> Iterator[SampleRow]:
    texts = [
        as_text(batch.rows.column(name).combine_chunks()).to_pylist()
        if name in batch.rows.column_names
        else [None] * batch.rows.num_rows
        for name in names
    ]
    whole = zip(batch.numbers.to_pylist(), zip(*texts, strict=True), strict=True) if names else ()
    taken = [SampleRow(batch.portion, number, values) for number, values in whole]
    broken = [SampleRow(batch.portion, row.number, (), broken=row.text) for row in batch.broken]
    yield from sorted([*taken, *broken], key=lambda row: row.number)
