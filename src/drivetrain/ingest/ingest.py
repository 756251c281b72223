"""Stage 1. New rows of a source go through its contract into its table; bad ones into quarantine, and back by replay.

Two commits make a load: first the quarantine, then the table, whose commit carries the rows, the reader's cursor and
the pin of the quarantine. Only the second one counts, so a kill at any moment neither loses nor doubles a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from drivetrain.core.artifacts import Dataset
from drivetrain.core.credentials import NoSecrets, Secrets
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.events import Progress, silent
from drivetrain.core.schema import Column, Schema
from drivetrain.core.sources import SourceSpec
from drivetrain.ingest.admission import admit, check_freshness
from drivetrain.ingest.destination import Destination, Standing
from drivetrain.ingest.evolution import Evolution, evolve, refuse_changes
from drivetrain.ingest.judging import STORED, Judged, judge
from drivetrain.ingest.reading import Batch, Place, Position, Reader, open_reader
from drivetrain.ingest.rules import check_columns, row_digest
from drivetrain.ingest.staging import Origin, Staging
from drivetrain.store.catalog import Catalog
from drivetrain.store.locks import held


def ingest(
    spec: SourceSpec,
    name: str,
    catalog: Catalog,
    progress: Progress = silent,
    *,
    accept_schema: bool = False,
    secrets: Secrets | None = None,
) -> Dataset:
    """Load what is new at the source; gives the same Dataset again when nothing is.

    When the contract's row rules changed, the rows that stand in the table are judged again too, and bad ones move to
    quarantine. ``accept_schema`` agrees to changed columns: a new one is missing in older rows, a dropped one in newer
    rows, a retyped one takes the type that holds both.

    Raises NotFound and InvalidInput for a source that is not there or not readable, Refused when the contract, the
    schema or an already loaded file is broken, Transient when trying again may help; then nothing was changed.
    """
    reader = open_reader(spec, place_of(catalog, secrets or NoSecrets()))
    return ingest_from(reader, spec, name, catalog, progress, accept_schema=accept_schema)


def place_of(catalog: Catalog, secrets: Secrets) -> Place:
    """Where the readers of a project work."""
    return Place(catalog.home, catalog.state / "cache", secrets)


def ingest_from(
    reader: Reader, spec: SourceSpec, name: str, catalog: Catalog, progress: Progress = silent, *, accept_schema: bool
) -> Dataset:
    """``ingest`` with a reader that is open already, and stays so."""
    with _workplace(catalog, name) as (target, staging):
        if target.exists:
            reader.commit(target.standing.reader)  # again: the process may have ended right after the table's commit
        positions, size = _stage(reader, target.standing.reader, staging, progress)
        load = _Load(name, spec, target, staging, positions)
        if load.is_nothing:
            _check_standing(load)
            progress(size, size, "nothing new")
            return target.dataset(spec.contract)
        judged, evolution = _judge(load, catalog, accept_schema=accept_schema)
        cursor = _commit(load, judged, evolution)
        reader.commit(cursor)
        count = judged.count(Origin.SOURCE)
        progress(size, size, f"{count.rows:,} rows, {count.bad:,} bad")
        return Destination(catalog, name).dataset(spec.contract)


def replay(spec: SourceSpec, name: str, catalog: Catalog, progress: Progress = silent) -> Dataset:
    """Judge the quarantined rows by the contract as it is now; those that pass move into the table, exactly once.

    Gives the same Dataset again when none passes. Raises NotFound before the first load, and Refused when the
    contract cannot be evaluated or speaks of other columns or types than the table has.
    """
    with _workplace(catalog, name) as (target, staging):
        if not target.exists:
            raise NotFound("dataset_unknown", "nothing was loaded yet", where=name, hint=f"`drivetrain ingest {name}`")
        waiting, total = target.quarantine.rows(), target.quarantine.pin.rows
        if waiting is None or not total:
            return target.dataset(spec.contract)
        schema = _schema_to_replay(spec, target)
        staging.add_quarantined(waiting, schema.names)
        judged = judge(staging, spec.contract, schema, target.rows(), f"quarantine of {name}")
        bad = judged.count(Origin.QUARANTINE).bad
        progress(total, total, f"{total - bad:,} of {total:,} rows pass now")
        if bad < total:
            digest = digest_of(target.digest, "replay", spec.contract.model_dump(mode="json"))
            pin = target.quarantine.replace(judged.bad(digest), bad, digest)
            said = replace(target.standing, quarantine=pin)
            target.append(judged.good([Origin.QUARANTINE]), schema, total - bad, (said, digest))
        return Destination(catalog, name).dataset(spec.contract)


@dataclass(frozen=True)
class _Load:
    """One run of ingest: what is staged, and where it goes."""

    name: str
    spec: SourceSpec
    target: Destination
    staging: Staging
    positions: tuple[Position, ...]

    @property
    def where(self) -> str:
        return f"source {self.name}"

    @property
    def is_admitted(self) -> bool:
        """Whether the rows that stand in the table were judged by the contract as it is now."""
        return self.target.standing.contract == row_digest(self.spec.contract)

    @property
    def is_nothing(self) -> bool:
        return not self.staging.rows and (self.is_admitted or not self.target.exists)

    @property
    def digest(self) -> str:
        """The chain over the digest so far, what was read, how it was read, and the contract."""
        spec, digest = self.spec, self.target.digest
        for content in [position.content for position in self.positions] or ["judged again"]:
            options = spec.model_dump(mode="json", exclude={"contract"})
            digest = digest_of(digest, content, options, spec.contract.model_dump(mode="json"))
        return digest


@contextmanager
def _workplace(catalog: Catalog, name: str) -> Iterator[tuple[Destination, Staging]]:
    with (
        held(catalog.state / "locks" / f"ingest-{name}", f"the ingest of {name}"),
        Staging(catalog.work_path("ingest", digest_of(name))) as staging,
    ):
        yield Destination(catalog, name), staging


def _stage(reader: Reader, cursor: str, staging: Staging, progress: Progress) -> tuple[tuple[Position, ...], float]:
    """Stage what is new; gives the positions passed and the size of the source in bytes."""
    size = sum(portion.size for portion in reader.discover())
    positions = []
    for item in reader.read(cursor):
        if isinstance(item, Batch):
            staging.add(item)
            progress(item.done, size, f"{staging.rows:,} rows")
        else:
            positions.append(item)
    return tuple(positions), size


def _check_standing(load: _Load) -> None:
    """Nothing is new: there must be rows, and the newest must still be fresh."""
    rows, freshness = load.target.rows(), load.spec.contract.freshness
    if rows is None:
        raise InvalidInput("no_rows", "there is not one row", where=load.where, hint="look into the files of `path`")
    if freshness is not None:
        load.staging.sql.register(STORED, rows)
        check_freshness(load.staging.sql, [STORED], load.target.schema(), freshness, load.where)


def _judge(load: _Load, catalog: Catalog, *, accept_schema: bool) -> tuple[Judged, Evolution]:
    """Judge the staged rows, and the stored ones with them when their types or rules changed."""
    target, staging, contract = load.target, load.staging, load.spec.contract
    evolution = evolve(staging, contract, target.standing.columns, target.schema())
    if evolution.changes and not accept_schema:
        raise refuse_changes(evolution.changes, load.name, catalog)
    check_columns(contract, evolution.source, load.where)
    stored = target.rows()
    if stored is not None and (evolution.changes or not load.is_admitted):
        staging.add_stored(stored, target.label)
        stored = None
    judged = judge(staging, contract, evolution.table, stored, load.where)
    admit(judged, contract, load.where, stored=stored is not None)
    return judged, evolution


def _commit(load: _Load, judged: Judged, evolution: Evolution) -> str:
    """Write quarantine and table, where anything changes; gives the cursor from which the next load starts."""
    target, digest = load.target, load.digest
    new, old = judged.count(Origin.SOURCE), judged.count(Origin.STORED)
    cursor = load.positions[-1].cursor if load.positions else target.standing.reader
    if not (new.rows or old.bad or evolution.changes):
        return cursor
    pin, bad = target.quarantine.pin, new.bad + old.bad
    if bad:
        pin = target.quarantine.add(judged.bad(digest), bad, digest)
    said = Standing(cursor, evolution.source, row_digest(load.spec.contract), pin)
    if evolution.changes or old.bad:
        good = judged.good([Origin.STORED, Origin.SOURCE])
        target.overwrite(good, evolution.table, new.rows + old.rows - bad, (said, digest))
    else:
        target.append(judged.good([Origin.SOURCE]), evolution.table, new.rows - new.bad, (said, digest))
    return cursor


def _schema_to_replay(spec: SourceSpec, target: Destination) -> Schema:
    schema, where = target.schema(), f"quarantine of {target.name}"
    check_columns(spec.contract, schema.names, where)
    ruled = {name: rule.type for name, rule in spec.contract.columns.items()}
    wanted = Schema(tuple(Column(column.name, ruled.get(column.name, column.type)) for column in schema.columns))
    changes = [str(change) for change in schema.changes_to(wanted)]
    if changes:
        raise Refused(
            "schema_changed",
            "the contract has other types than the table: " + "; ".join(changes),
            where=where,
            hint=f"first `drivetrain ingest {target.name} --accept-schema`, then replay",
        )
    return schema
