"""The contract of a Learner. Subclass it in your tests, name the class ``Test...``, and make your learner.

class TestMine(LearnerContract):
    def make(self) -> Learner:
        return Mine()
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import optuna
from threadpoolctl import threadpool_limits

from drivetrain.core.model import InputField
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import METRICS, Task
from drivetrain.ops.calibration import Sigmoid
from drivetrain.ops.links import Identity, Link, Softmax, plain_link
from drivetrain.ops.metrics import measure
from drivetrain.store.models import Scorer
from drivetrain.train.fitting import fit
from drivetrain.train.lanes import open_lanes
from drivetrain.train.learner import EARLY, Fields, Fitted, Learner, Params, Sample
from drivetrain.train.trained import Trained

_YEAR = 365 * 86_400.0


def make_sample(rows: int, seed: int = 0, task: Task = Task.YES_NO) -> tuple[Sample, Fields]:
    """Rows with every kind of column: missing, unknown, constant and wholly missing ones, and what they are called."""
    chance = np.random.default_rng(seed)
    amount = np.exp(chance.normal(0.0, 2.0, rows))
    count = chance.poisson(1.0, rows).astype(np.float64)
    flag = chance.integers(0, 2, rows).astype(np.float64)
    text = chance.integers(-1, 3, rows).astype(np.float64)
    time = 1.7e9 + np.floor(chance.random(rows) * _YEAR)
    odds = np.log(amount) + 0.7 * count - flag + np.where(text == 1, 1.5, 0.0) + (time > 1.7e9 + _YEAR / 2) - 1.0
    label = chance.random(rows) < 1.0 / (1.0 + np.exp(-odds))
    amount[chance.random(rows) < 0.1] = np.nan
    text[chance.random(rows) < 0.1] = np.nan
    x = np.column_stack([amount, count, flag, text, time, np.full(rows, 7.0), np.full(rows, np.nan)])
    fields = (
        InputField("amount", ColumnType.NUMBER, True, typical=1.0),
        InputField("count", ColumnType.INTEGER, False, typical=1.0),
        InputField("flag", ColumnType.BOOLEAN, False),
        InputField("text", ColumnType.TEXT, True, categories=("a", "b", "c")),
        InputField("time", ColumnType.TIMESTAMP, False, typical=1.7e9 + _YEAR / 2),
        InputField("constant", ColumnType.NUMBER, False, typical=7.0),
        InputField("empty", ColumnType.NUMBER, True),
    )
    noisy = odds + chance.normal(0.0, 0.5, rows)
    if task is Task.CLASSES:
        return Sample(x, np.digitize(noisy, [-1.0, 1.0, 2.5]).astype(np.int64), task, 4), fields
    return Sample(x, noisy * 1000.0 if task is Task.NUMBER else label, task), fields


_LINKS: dict[Task, Link] = {
    Task.YES_NO: Sigmoid(0.9, -0.1),
    Task.CLASSES: Softmax(0.9),
    Task.NUMBER: Identity(),
}
_UNTAUGHT = {Task.YES_NO: 0.75, Task.CLASSES: 0.45, Task.NUMBER: 0.2}
"""The least that a learner must reach, in the first metric of each task."""


class LearnerContract:
    """What every learner owes to the race and to the server, for every task that it says it learns."""

    tolerance = 1e-6

    def make(self) -> Learner:
        """The learner under test."""
        raise NotImplementedError

    @property
    def tasks(self) -> Collection[Task]:
        """What it is tried with: all that it says it learns, unless a subclass says less."""
        return self.make().tasks

    def test_learns_with_the_defaults_and_from_its_start(self) -> None:
        """Both tell unseen rows apart."""
        for task, params in self._points():
            judged, _ = make_sample(600, 1, task)
            answer = plain_link(task).apply(self._fit(task, params).margin(judged.x))
            assert measure(METRICS[task][0], judged.y, answer) > _UNTAUGHT[task], (task, params)

    def test_the_export_agrees_row_by_row(self) -> None:
        """On seen rows, missing values in every column, unknown texts, and values far out of range."""
        judged = self._stressed()
        for task, params in self._points():
            trained = Trained(((self._fit(task, params), 1.0),), _LINKS[task])
            served, expected = Scorer(self._graph(trained, task)).score(judged), trained.answer(judged)
            gap = np.abs(served - expected) / np.maximum(1.0, np.abs(expected))
            assert gap.max() <= self.tolerance, (task, params)

    def test_one_row_scores_as_in_a_batch(self) -> None:
        """The server may batch as it likes."""
        judged = self._stressed()[:40]
        for task in sorted(self.tasks):
            scorer = Scorer(self._graph(Trained(((self._fit(task, {}), 1.0),), plain_link(task)), task))
            together = scorer.score(judged)
            alone = np.concatenate([scorer.score(row[None, :]) for row in judged])
            assert (np.abs(together - alone) / np.maximum(1.0, np.abs(together))).max() <= self.tolerance

    def test_the_same_fit_makes_the_same_bytes(self) -> None:
        """Here, and in a thread of a race."""
        for task, params in self._points():
            here = self._fit(task, params)
            with open_lanes() as lanes:
                there = lanes.pool.submit(self._fit, task, params).result()
            graphs = [self._graph(Trained(((made, 1.0),), plain_link(task)), task) for made in (here, there)]
            assert graphs[0] == graphs[1], (task, params)

    def test_a_handful_of_rows_is_enough(self) -> None:
        """What a fold of the smallest allowed set leaves."""
        for task, params in self._points():
            sample, fields = make_sample(40, 0, task)
            with threadpool_limits(1):
                fitted = fit(self.make(), sample, fields, _unstopped(self.make(), params), seed=0)
            assert np.isfinite(fitted.margin(sample.x)).all(), (task, params)

    def test_suggests_what_it_can_fit(self) -> None:
        """Its start lies in its own space, its names are known to it, and what it suggests settles and fits."""
        learner = self.make()
        if learner.start is None:
            return
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        study.enqueue_trial(dict(learner.start))
        assert dict(learner.start).items() <= dict(learner.suggest(study.ask())).items()
        suggested = learner.suggest(study.ask())
        known = learner.parameters()
        assert known is None or set(suggested) <= set(known)
        for task in sorted(self.tasks):
            assert self._fit(task, suggested).size.operations > 0

    def test_stops_by_itself_and_settles(self) -> None:
        """After early stopping the rounds are known, and the settled parameters no longer ask for it."""
        for task, params in self._points():
            if params.get(EARLY) is True:
                rounds = self._fit(task, params).rounds
                settled = self.make().settled(params, rounds)
                assert rounds > 0
                assert settled.get(EARLY) is not True
                assert self._fit(task, settled).rounds == rounds

    def _points(self) -> list[tuple[Task, Params]]:
        learner = self.make()
        points: list[Params] = [{}]
        if learner.start is not None:
            points.append(learner.suggest(optuna.trial.FixedTrial(dict(learner.start))))
        return [(task, params) for task in sorted(self.tasks) for params in points]

    @staticmethod
    def _graph(trained: Trained, task: Task) -> bytes:
        sample, fields = make_sample(1, 0, task)
        return trained.to_onnx(len(fields), sample.classes)

    def _fit(self, task: Task, params: Params) -> Fitted:
        sample, fields = make_sample(800, 0, task)
        kept, stop = sample, None
        if params.get(EARLY) is True:
            rows = np.arange(len(sample))
            kept, stop = sample.take(rows[rows % 5 > 0]), sample.take(rows[rows % 5 == 0])
        with threadpool_limits(1):  # as in a race
            return fit(self.make(), kept, fields, params, seed=0, stop=stop)

    @staticmethod
    def _stressed() -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        sample, fields = make_sample(300, seed=2)
        rows = [sample.x]
        for column, field in enumerate(fields):
            extremes = (np.nan, -1.0) if field.type is ColumnType.TEXT else (np.nan, -1e12, 1e12)
            for value in extremes:
                changed = sample.x[:50].copy()
                changed[:, column] = value
                rows.append(changed)
        return np.vstack(rows)


def _unstopped(learner: Learner, params: Params) -> Params:
    return learner.settled(params, 5) if params.get(EARLY) is True else params
