"""Stage 2: feature SQL over exact dataset versions, joined, split, searched for leaks, and kept as a Delta table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from drivetrain.core.artifacts import Dataset, Features, SplitPart
from drivetrain.core.errors import InvalidInput, examples
from drivetrain.core.events import Progress, silent
from drivetrain.core.knowledge import KnowledgeSpec
from drivetrain.core.project import FeaturesSpec, FeatureTable
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.metrics import Truth
from drivetrain.prepare.candidates import SAID, offer_candidates
from drivetrain.prepare.cases import PreparedCases, gather
from drivetrain.prepare.knowledge import keep_knowledge, make_knowledge
from drivetrain.prepare.leaks import refuse_leaks
from drivetrain.prepare.session import Session
from drivetrain.prepare.spine import make_spine
from drivetrain.prepare.split import in_gap, part
from drivetrain.prepare.sql import SqlFile, read_sql
from drivetrain.prepare.tables import Joined, join_table
from drivetrain.prepare.writing import keep
from drivetrain.store.cases import BLOCK, SPLIT
from drivetrain.store.catalog import Catalog
from drivetrain.store.labels import classes_of
from drivetrain.store.retrievers import keep_retriever
from drivetrain.store.tables import Table


def prepare(
    spec: FeaturesSpec,
    name: str,
    datasets: Mapping[str, Dataset],
    catalog: Catalog,
    progress: Progress = silent,
    *,
    knowledge: KnowledgeSpec | None = None,
) -> Features:
    """Make the feature table ``name`` from the datasets, by the names that the SQL reads, at exactly their versions.

    The Delta table in area ``features`` holds entity, time if there is one, label (boolean, text or double), the column
    ``split``, what is kept, BLOCK if rows stay together, and the inputs, in the order of entity and time. Without a
    label a row is in the part ``open``, where the spec lets there be such rows. ``knowledge`` has tables of its own.
    The same rows from the same SQL and versions make no new version. Raises InvalidInput or NotFound for what a person
    got wrong, Refused for leaks and for SQL that cannot be repeated.
    """
    steps = len(spec.tables) + 4
    files = [read_sql(catalog.home, path) for path in (spec.spine, *(table.sql for table in spec.tables.values()))]
    of_items = [read_sql(catalog.home, path) for path in spec.items.files] if spec.items else []
    with Session(_sources(datasets, catalog), catalog.work_path("prepare", name)) as session:
        found = None if spec.items is None else offer_candidates(session, spec.items, of_items, progress)
        every = _cases(session, spec, files, progress)
        known = make_knowledge(session, knowledge, catalog.home) if knowledge else None
        parents = tuple(datasets[source].ref for source in sorted(session.read & datasets.keys()))
    every, test = _parted(every, spec)
    cases = every.closed()
    parts = _parts(every, cases.label, test)
    progress(steps - 2, steps, ", ".join(_told(part) for part in parts))
    _check_texts(cases, spec.texts)
    # Every text is another one, so that alone it "tells" any label.
    rules = spec.leaks.model_copy(update={"allow": (*spec.leaks.allow, *spec.texts)})
    if not spec.blind:  # what no label was learned from, no label can have leaked into
        refuse_leaks(cases, test, rules, spec.split)
    progress(steps - 1, steps, f"no leak in {len(cases.inputs.columns)} columns")
    sql = tuple(file.digest for file in {file.path: file for file in (*files, *of_items)}.values())
    kept = keep(Table(catalog.table_path("features", name)), _rows(every, test), sql, parents)
    progress(steps, steps, f"version {kept.version}" + ("" if kept.new else ", as before"))
    return Features(
        name=name,
        version=kept.version,
        digest=kept.digest,
        entity=cases.spine.entity.name,
        label=cases.spine.label,
        time=cases.spine.time.name if cases.spine.time else None,
        inputs=every.inputs,
        parts=parts,
        sql=sql,
        parents=parents,
        task=spec.task,
        classes=_classes(cases, test),
        windows=every.windows,
        kept=every.spine.keep,
        blocks="none" if every.blocks is None else "moments" if every.by_time else "groups",
        texts=spec.texts,
        knowledge=keep_knowledge(known, name, parents, catalog) if known else None,
        blind=spec.blind,
        retriever="" if found is None else keep_retriever(catalog, found.files("")),
    )


def _sources(datasets: Mapping[str, Dataset], catalog: Catalog) -> dict[str, ds.Dataset]:
    return {
        source: Table(catalog.table_path("datasets", source)).dataset(dataset.version)
        for source, dataset in datasets.items()
    }


def _parted(cases: PreparedCases, spec: FeaturesSpec) -> tuple[PreparedCases, NDArray[np.bool_]]:
    """The cases without those in the gap before the test part, and which of the closed ones are the test part."""
    split = spec.split
    rows = cases.closed().split_rows(split)
    test = part(split, rows, blind=spec.blind)
    gap = in_gap(split, rows, test)
    if not gap.any():
        return cases, test
    if (test | gap).all():
        raise InvalidInput(
            "split_impossible",
            f"all rows for training lie in the {split.gap_days:g} days before the test part",
            where="features.split",
            hint="bring a longer history, or a smaller `test` or `gap_days`",
        )
    stays = np.ones(len(cases.known), dtype=np.bool_)
    stays[cases.known] = ~gap
    return replace(cases, table=cases.table.filter(pa.array(stays))), test[~gap]


def _cases(session: Session, spec: FeaturesSpec, files: list[SqlFile], progress: Progress) -> PreparedCases:
    steps = len(spec.tables) + 4
    spine = make_spine(session, files[0], spec)
    progress(1, steps, f"{spine.rows:,} cases")
    joined: list[Joined] = []
    for position, ((name, table), file) in enumerate(zip(spec.tables.items(), files[1:], strict=True)):
        joined.append(join_table(session, position, file, table, spine))
        share, columns = joined[-1].matched / spine.rows, ", ".join(column.name for column in joined[-1].inputs)
        progress(position + 2, steps, f"{name}: {columns} ({share:.1%} of the cases)")
    if spec.items is not None:
        joined.append(join_table(session, len(joined), SAID, FeatureTable(sql=SAID.path), spine))
    return gather(session, spine, tuple(joined))


def _check_texts(cases: PreparedCases, texts: tuple[str, ...]) -> None:
    readable = [column.name for column in cases.inputs.columns if column.type is ColumnType.TEXT]
    if texts and cases.windows:
        raise InvalidInput(
            "texts_and_windows",
            "free texts are not read beside windows over events",
            where="features.texts",
            hint="make two models of it, or read the text as a category",
        )
    for text in texts:
        if text not in readable:
            raise InvalidInput(
                "text_unknown",
                f"no feature table gives a text {text!r}",
                where="features.texts",
                hint=f"columns that are text: {examples(readable) or 'none'}",
            )


def _parts(cases: PreparedCases, label: Truth, test: NDArray[np.bool_]) -> tuple[SplitPart, ...]:
    def positives(rows: NDArray[np.bool_]) -> int | None:
        return int(label[rows].sum()) if cases.spine.task is Task.YES_NO else None

    waiting = int((~cases.known).sum())
    return (
        SplitPart("train", int((~test).sum()), positives(~test)),
        SplitPart("test", int(test.sum()), positives(test)),
        *((SplitPart("open", waiting, None),) if waiting else ()),
    )


def _told(part: SplitPart) -> str:
    true = "" if part.positives is None else f" ({part.positives / part.rows:.2%} true)"
    return f"{part.part} {part.rows:,} rows{true}"


def _classes(cases: PreparedCases, test: NDArray[np.bool_]) -> tuple[str, ...]:
    if cases.spine.task is not Task.CLASSES:
        return ()
    return classes_of(cases.table.column(cases.spine.label).filter(pa.array(~test)))


def _rows(cases: PreparedCases, test: NDArray[np.bool_]) -> pa.Table:
    """The rows as they are kept: entity, time, label, split, what is kept, blocks, inputs.

    ``test`` speaks of the rows with a label; only where some have none may the label be null.
    """
    spine, split = cases.spine, np.full(len(cases.known), "open", dtype=object)
    split[cases.known] = np.where(test, "test", "train")
    own = cases.table.select([spine.entity.name, *([spine.time.name] if spine.time else []), spine.label])
    own = own.append_column(SPLIT, pa.array(split, pa.string()))
    free = {spine.label} if spine.spec.open or spine.spec.blind else set()
    own = own.cast(pa.schema([field.with_nullable(field.name in free) for field in own.schema]))
    for name in spine.keep:
        own = own.append_column(name, cases.table.column(name))
    if cases.blocks is not None:
        own = own.append_column(BLOCK, pa.array(cases.blocks))
    for name in cases.inputs.names:
        own = own.append_column(name, cases.table.column(name))
    return own
