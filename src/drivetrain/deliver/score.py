"""Offline batches: files or tables in, predictions out; after a kill it goes on with no row lost and none doubled."""

from __future__ import annotations

import time
from pathlib import Path

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.digest import digest_of
from drivetrain.core.events import Progress, silent
from drivetrain.deliver.inputs import find_input
from drivetrain.deliver.job import Job
from drivetrain.deliver.options import Scored, ScoreOptions
from drivetrain.deliver.outputs import open_output
from drivetrain.store.catalog import Catalog
from drivetrain.store.locks import held


def score(
    source: str,
    release: VerifiedRelease,
    to: Path | None,
    options: ScoreOptions,
    catalog: Catalog,
    progress: Progress = silent,
) -> Scored:
    """Score every row of ``source`` (see ``inputs.find_input``) into ``to``, by default a table of the lake.

    The output has the columns that are kept, then ``score``, ``decision``, the outputs of the signature, ``release``,
    ``file`` and ``row`` (from 1, in the file). Raises NotFound and InvalidInput for an input that cannot be read,
    Refused when too many rows are bad or the output is that of another job, Transient when the model's code ends or
    somebody else writes there.
    """
    began = time.monotonic()
    found = find_input(source, catalog)
    path = (to or catalog.table_path("scores", found.stem)).absolute()
    output = open_output(path, options.format)
    with held(catalog.work_path("score", digest_of(str(path))) / "lock", str(path)):
        job = Job(found, release, output, options)
        start = job.start()
        end = start if start.complete else job.run(start, progress)
    seconds = time.monotonic() - began
    return Scored(
        input=found.name, release=release.ref, output=path, quarantine=output.quarantine if end.bad else None,
        rows=end.scored, bad=end.bad, before=start.rows, seconds=seconds,
        rows_per_second=(end.rows - start.rows) / seconds,
    )  # fmt: skip
