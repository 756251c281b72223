"""One input, one release, one output: where the job stands, and how it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from drivetrain.access.verification import VerifiedRelease
from drivetrain.core.errors import Refused
from drivetrain.core.events import Progress
from drivetrain.core.schema import Column
from drivetrain.deliver.inputs import Input
from drivetrain.deliver.lanes import Lanes
from drivetrain.deliver.options import ScoreOptions
from drivetrain.deliver.outputs import Cursor, Output
from drivetrain.deliver.rows import BatchPacker, Packed, kept_columns
from drivetrain.deliver.step import Step
from drivetrain.ops.saying import Saying
from drivetrain.ops.text import encoders_from
from drivetrain.store.golden import golden_from
from drivetrain.store.models import model_from, open_scorer

_TOGETHER = 16_384  # rows that go through the stations of a job together
_COMMIT_SECONDS = 10.0
_JUDGED_FROM = 10_000  # rows; the share of bad ones among fewer says little while the job runs


class Job:
    """A batch to score. ``release`` was verified; its bytes are used as they were checked."""

    def __init__(self, found: Input, release: VerifiedRelease, output: Output, options: ScoreOptions) -> None:
        self._input = found
        self._ref = str(release.ref)
        self._golden = golden_from(release.part("report"), self._ref)
        self._model = model_from(release.part("model"), self._ref)
        self._output = output
        self._options = options

    def start(self) -> Cursor:
        """Where the job stands. Raises Refused when the output is another job's, or has too many bad rows already."""
        if self._options.again:
            self._output.clear()
        before = None if self._options.again else self._output.cursor()
        if before is None:
            return Cursor(self._ref, self._input.digest, self._kept())
        self._refuse_another(before)
        self._judge(before)
        return before

    def run(self, cursor: Cursor, progress: Progress) -> Cursor:
        """Score what lies behind the cursor; gives the one behind the last row.

        Raises Refused when too many rows are bad, or the model answers otherwise than when it was validated.
        """
        encoders = encoders_from(self._model.signature.texts, self._model.texts)
        packer = BatchPacker(self._model.signature, cursor.kept, encoders)
        sizes = [part.size for part in self._input.parts]
        began, before = time.monotonic(), cursor.rows
        with closing(packer), closing(open_scorer(self._model)) as scorer:
            self._golden.check(scorer.score, self._ref)
            step = self._step(cursor)
            lanes = Lanes(scorer, len(self._model.signature.classes))
            for at, packed, answers in lanes.score(self._packs(packer, cursor)):
                step.add(at, self._input.parts[at].name, packed, answers)
                rate = (step.cursor.rows - before) / (time.monotonic() - began)
                note = f"{step.cursor.rows:,} rows, {rate:,.0f} a second"
                progress(sum(sizes[:at]) + packed.done, self._input.size, note)
                if step.rows >= self._options.commit_rows or step.seconds >= _COMMIT_SECONDS:
                    step = self._step(self._commit(step, step.cursor))
            return self._commit(step, replace(step.cursor, complete=True))

    def _step(self, cursor: Cursor) -> Step:
        model = self._model
        return Step(cursor, Saying(model.signature, model.decision, model.interval, model.rules))

    def _commit(self, step: Step, cursor: Cursor) -> Cursor:
        self._output.write(step.good(), step.bad(), cursor)
        self._judge(cursor)
        return cursor

    def _packs(self, packer: BatchPacker, start: Cursor) -> Iterator[tuple[int, Packed]]:
        """What is left to score, with the number of its part."""
        for at, part in enumerate(self._input.parts):
            if at < start.part:
                continue
            packer.check(part.columns(), part.name)
            for batch in part.read(packer.names, start.row if at == start.part else 0):
                for packed in packer.pack(batch, min(_TOGETHER, self._options.commit_rows)):
                    yield at, packed

    def _kept(self) -> tuple[Column, ...]:
        if not self._input.parts:
            return ()
        first = self._input.parts[0]
        return kept_columns(first.columns(), self._options.keep, self._model.signature, first.name)

    def _refuse_another(self, before: Cursor) -> None:
        keep = self._options.keep
        differences = {
            f"the release was {before.release}": before.release != self._ref,
            "the input was another, or has changed": before.inputs != self._input.digest,
            "other columns were kept": keep is not None and keep != tuple(column.name for column in before.kept),
        }
        if any(differences.values()):
            raise Refused(
                "output_of_another_job",
                f"predictions of another job are there: {'; '.join(why for why, so in differences.items() if so)}",
                where=str(self._output.path),
                hint="--to PATH writes elsewhere, --again replaces them; the same input and release would go on",
            )

    def _judge(self, cursor: Cursor) -> None:
        """Raise Refused when too many of the rows are bad; of a job that runs, only where there are enough to tell."""
        share, most = cursor.bad / max(cursor.rows, 1), self._options.max_bad_share
        if share > most and (cursor.complete or cursor.rows >= _JUDGED_FROM):
            raise Refused(
                "too_many_unscored_rows",
                f"{cursor.bad:,} of {cursor.rows:,} rows are bad ({share:.2%}, allowed {most:.2%})",
                where=str(self._output.quarantine),
                hint="the reasons stand there, row by row; mend the input and score it --again, or go on with a higher "
                "--max-bad-share",
            )
