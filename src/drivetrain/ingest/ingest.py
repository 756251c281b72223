"""Stage 1. New rows of a source go through its contract into its table; bad ones into quarantine, and back by replay.

Two commits make a load: first the quarantine, then the table, whose commit carries the rows, the reader's cursor and
the pin of the quarantine. Only the second one counts, so a kill at any moment neither loses nor doubles a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from drivetrain.connect.place import place_of
from drivetrain.core.artifacts import Dataset, ReviewVerdict
from drivetrain.core.credentials import NoSecrets, Secrets
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.events import Progress, silent
from drivetrain.core.loads import Loaded
from drivetrain.core.schema import Column, Schema
from drivetrain.core.sources import SourceSpec
from drivetrain.ingest.admission import admit, check_freshness
from drivetrain.ingest.columns import Columns
from drivetrain.ingest.consent import NO_VERDICTS, Consent, Owner, agree, told
from drivetrain.ingest.destination import Destination, Standing
from drivetrain.ingest.evolution import Evolution, Held, evolve
from drivetrain.ingest.expectation import past_loads, unusual_volume
from drivetrain.ingest.naming import Naming
from drivetrain.ingest.origin import Origin
from drivetrain.ingest.reading import Batch, Position, Reader, opened
from drivetrain.ingest.rules import check_columns, row_digest
from drivetrain.ingest.sketch import merged
from drivetrain.ingest.staging import Staging
from drivetrain.ingest.unlike import value_changes
from drivetrain.store.catalog import Catalog
from drivetrain.store.locks import held


def ingest(
    spec: SourceSpec,
    name: str,
    catalog: Catalog,
    progress: Progress = silent,
    *,
    accept_schema: bool = False,
    verdicts: Mapping[str, ReviewVerdict] = NO_VERDICTS,
    secrets: Secrets | None = None,
) -> Dataset:
    """Load what is new at the source; gives the same Dataset again when nothing is.

    When the contract's row rules changed, the rows that stand in the table are judged again too, and bad ones move to
    quarantine. ``accept_schema`` agrees to whatever changed at the source, unless the contract asks for a second person
    or one said no; ``verdicts`` are what was decided, by the digests of reviews: a new column is missing in older
    rows, a dropped one in newer rows, a retyped one takes the type that holds both.

    Raises NotFound and InvalidInput for a source that is not there or not readable, ChangeRefused when the source
    changed and nobody agreed, Refused when the contract or an already loaded file is broken, Transient when trying
    again may help; then nothing was changed.
    """
    with opened(spec, place_of(catalog, secrets or NoSecrets())) as reader:
        return ingest_from(reader, spec, name, catalog, progress, accept_schema=accept_schema, verdicts=verdicts)


def ingest_from(
    reader: Reader,
    spec: SourceSpec,
    name: str,
    catalog: Catalog,
    progress: Progress = silent,
    *,
    accept_schema: bool = False,
    verdicts: Mapping[str, ReviewVerdict] = NO_VERDICTS,
) -> Dataset:
    """``ingest`` with a reader that is open already, and stays so."""
    with _held(catalog, name):
        target, work = Destination(catalog, name), catalog.work_path("ingest", digest_of(name))
        load = _Load(name, spec, target, work, Consent(accept_schema, verdicts))
        if load.target.exists:
            reader.commit(load.target.standing.reader)  # again: the process may have ended right after the commit
        evolution: Evolution | None = None
        reading = True
        while True:
            with load.staging(evolution) as staging:
                positions, size = _stage(reader, load, staging, progress) if reading else ((), 0.0)
                if staging.rows and not positions:  # the whole of a source that is as it was
                    reading = False
                    continue
                is_emptied = staging.whole and bool(positions) and not staging.rows
                is_new = staging.rows or is_emptied if load.target.exists else staging.has_something
                if not is_new and load.may_stay:
                    _check_standing(load, staging)
                    progress(size, size, "nothing new")
                    return load.target.dataset(spec.contract)
                if evolution is None:
                    evolution = _evolve(load, staging, catalog)
                    again = staging.unsettled or evolution.naming != load.naming
                    if again or not staging.columns.holds(evolution.table):
                        continue  # once more, in the types that all rows together turned out to have
                loaded = _judge(load, staging, evolution, catalog)
                cursor = _commit(load, staging, (evolution, loaded), positions)
                count = staging.count(Origin.SOURCE)
            reader.commit(cursor)
            progress(size, size, f"{count.rows:,} rows, {count.bad:,} bad")
            return Destination(catalog, name).dataset(spec.contract)


def replay(spec: SourceSpec, name: str, catalog: Catalog, progress: Progress = silent) -> Dataset:
    """Judge the quarantined rows by the contract as it is now; those that pass move into the table, exactly once.

    Gives the same Dataset again when none passes. Raises NotFound before the first load, and Refused when the
    contract cannot be evaluated or speaks of other columns or types than the table has.
    """
    with _held(catalog, name):
        target = Destination(catalog, name)
        if not target.exists:
            raise NotFound("dataset_unknown", "nothing was loaded yet", where=name, hint=f"`drivetrain ingest {name}`")
        waiting, total = target.quarantine.rows(), target.quarantine.pin.rows
        if waiting is None or not total:
            return target.dataset(spec.contract)
        schema, work = _schema_to_replay(spec, target), catalog.work_path("ingest", digest_of(name))
        columns = Columns(spec.contract, schema, schema)
        with Staging(work, spec.contract, columns, f"quarantine of {name}") as staging:
            staging.add_quarantined(waiting)
            staging.part_repeats(target.rows)
            bad = staging.count(Origin.QUARANTINE).bad
            progress(total, total, f"{total - bad:,} of {total:,} rows pass now")
            if bad < total:
                digest = digest_of(target.digest, "replay", spec.contract.model_dump(mode="json"))
                pin = target.quarantine.replace(staging.bad(digest), bad, digest)
                said = replace(target.standing, quarantine=pin)
                target.append(staging.files(Origin.QUARANTINE), schema, (said, digest))
        return Destination(catalog, name).dataset(spec.contract)


@dataclass(frozen=True)
class _Load:
    """One run of ingest: what is loaded, and where it goes."""

    name: str
    spec: SourceSpec
    target: Destination
    work: Path
    consent: Consent

    @property
    def where(self) -> str:
        return f"source {self.name}"

    @property
    def is_admitted(self) -> bool:
        """Whether the rows that stand in the table were judged by the contract as it is now."""
        return self.target.standing.contract == row_digest(self.spec.contract)

    @property
    def may_stay(self) -> bool:
        """Whether nothing is left to do when nothing is new."""
        return self.is_admitted or not self.target.exists

    @property
    def naming(self) -> Naming:
        """How columns stood in the table so far."""
        return self.target.naming(self.spec.contract)

    @property
    def owner(self) -> Owner:
        """Whose source it is that may have changed."""
        return Owner(self.name, self.target.digest, self.target.ref)

    def staging(self, evolution: Evolution | None) -> Staging:
        """An empty one, for rows of columns that are to be found out, or are known."""
        columns = Columns(self.spec.contract, self.target.schema(), evolution.table if evolution else None)
        naming = evolution.naming if evolution else self.naming
        return Staging(self.work, self.spec.contract, columns, self.where, naming)

    def digest(self, positions: tuple[Position, ...]) -> str:
        """The chain over the digest so far, what was read, how it was read, and the contract."""
        spec, digest = self.spec, self.target.digest
        for content in [position.content for position in positions] or ["judged again"]:
            options = spec.model_dump(mode="json", exclude={"contract"})
            digest = digest_of(digest, content, options, spec.contract.model_dump(mode="json"))
        return digest


def _held(catalog: Catalog, name: str) -> AbstractContextManager[None]:
    return held(catalog.state / "locks" / f"ingest-{name}", f"the ingest of {name}")


def _stage(reader: Reader, load: _Load, staging: Staging, progress: Progress) -> tuple[tuple[Position, ...], float]:
    """Stage what is new; gives the positions passed and the size of the source in bytes."""
    size = sum(portion.size for portion in reader.discover())
    positions = []
    for item in reader.read(load.target.standing.reader):
        if isinstance(item, Batch):
            staging.add(item)
            progress(item.done, size, f"{staging.rows:,} rows")
        else:
            positions.append(item)
    staging.settle()
    return tuple(positions), size


def _check_standing(load: _Load, staging: Staging) -> None:
    """Nothing is new: there must be rows, and the newest must still be fresh."""
    rows, freshness = load.target.rows, load.spec.contract.freshness
    if rows is None:
        hint = f"`drivetrain sources test {load.name}` shows what is there; load again when it has rows"
        raise InvalidInput("no_rows", "there is not one row", where=load.where, hint=hint)
    if freshness is not None:
        check_freshness(staging.sql, [rows], load.target.schema(), freshness, load.where)


def _evolve(load: _Load, staging: Staging, catalog: Catalog) -> Evolution:
    contract, target = load.spec.contract, load.target
    measured = staging.sketching.measured()
    held = Held(target.standing.columns, target.schema(), load.naming, target.sketch(), measured)
    evolution = evolve(staging.columns, contract, held)
    reviews = agree(evolution.changes, contract, load.consent, load.owner, catalog)
    check_columns(contract, evolution.source, load.where)
    return replace(evolution, reviews=reviews)


def _judge(load: _Load, staging: Staging, evolution: Evolution, catalog: Catalog) -> Loaded:
    """Judge the load as a whole, and the stored rows with it when their types or rules changed."""
    stored = None if staging.whole else load.target.rows
    if stored is not None and (evolution.changes or not load.is_admitted):
        staging.judge_stored(stored, load.target.label)
        stored = None
    staging.part_repeats(stored)
    admit(staging, load.spec.contract, evolution.table, stored, load.where)
    rows, at = staging.count(Origin.SOURCE).rows, datetime.now(UTC)
    if not rows:
        return load.target.standing.load
    contract, measured = load.spec.contract, staging.sketching.measured()
    unusual = (
        *unusual_volume(rows, at, past_loads(catalog, load.name)),
        *value_changes(load.target.sketch(), measured, contract),
    )
    reviews = agree(unusual, contract, load.consent, load.owner, catalog)
    alarms = told((*evolution.changes, *unusual), contract)
    return Loaded(at.isoformat(timespec="microseconds"), rows, alarms, (*evolution.reviews, *reviews))


def _commit(load: _Load, staging: Staging, found: tuple[Evolution, Loaded], positions: tuple[Position, ...]) -> str:
    """Write quarantine and table, where anything changes; gives the cursor from which the next load starts."""
    target, digest, (evolution, loaded) = load.target, load.digest(positions), found
    new, old = staging.count(Origin.SOURCE), staging.count(Origin.STORED)
    cursor = positions[-1].cursor if positions else target.standing.reader
    if not (new.rows or old.bad or evolution.changes or staging.whole):
        return cursor
    pin, bad = target.quarantine.pin, new.bad + old.bad
    if staging.whole and (bad or pin.rows):
        pin = target.quarantine.replace(staging.bad(digest), bad, digest)
    elif bad:
        pin = target.quarantine.add(staging.bad(digest), bad, digest)
    sketch = target.keep_sketch(merged(target.sketch(), staging.sketching.measured()))
    said = (
        Standing(cursor, evolution.source, row_digest(load.spec.contract), pin, loaded, evolution.naming, sketch),
        digest,
    )
    if staging.whole:
        target.overwrite(staging.files(Origin.SOURCE), evolution.table, said)
    elif evolution.changes or old.bad:
        target.overwrite(staging.files(Origin.STORED, Origin.SOURCE), evolution.table, said)
    elif staging.keys.changing and target.exists:
        target.replace(staging.files(Origin.SOURCE), staging.keys.replaced, load.work, said)
    else:
        target.append(staging.files(Origin.SOURCE), evolution.table, said)
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
