"""The contract of a Learner. Subclass it in your tests, name the class ``Test...``, and make your learner.

class TestMine(LearnerContract):
    def make(self) -> Learner:
        return Mine()
"""

from __future__ import annotations

import numpy as np
import optuna
from threadpoolctl import threadpool_limits

from drivetrain.core.model import InputField
from drivetrain.core.schema import ColumnType
from drivetrain.ops.calibration import Sigmoid
from drivetrain.ops.metrics import roc_auc
from drivetrain.store.models import Scorer
from drivetrain.train.learner import EARLY, Fields, Fitted, Learner, Params, Sample
from drivetrain.train.race import open_lanes
from drivetrain.train.trained import Trained

_YEAR = 365 * 86_400.0


def make_sample(rows: int, seed: int = 0) -> tuple[Sample, Fields]:
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
    return Sample(x, label), fields


class LearnerContract:
    """What every learner owes to the race and to the server."""

    tolerance = 1e-6

    def make(self) -> Learner:
        """The learner under test."""
        raise NotImplementedError

    def test_learns_with_the_defaults_and_from_its_start(self) -> None:
        """Both tell unseen rows apart."""
        judged, _ = make_sample(600, seed=1)
        for params in self._points():
            assert roc_auc(judged.y, self._fit(params).margin(judged.x)) > 0.75, params

    def test_the_export_agrees_row_by_row(self) -> None:
        """On seen rows, missing values in every column, unknown texts, and values far out of range."""
        judged = self._stressed()
        for params in self._points():
            trained = Trained(((self._fit(params), 1.0),), Sigmoid(0.9, -0.1))
            scores = Scorer(trained.to_onnx(judged.shape[1])).score(judged)
            assert np.abs(scores - trained.score(judged)).max() <= self.tolerance, params

    def test_one_row_scores_as_in_a_batch(self) -> None:
        """The server may batch as it likes."""
        judged = self._stressed()[:40]
        scorer = Scorer(Trained(((self._fit({}), 1.0),), Sigmoid(1.0, 0.0)).to_onnx(judged.shape[1]))
        alone = np.concatenate([scorer.score(row[None, :]) for row in judged])
        assert np.abs(scorer.score(judged) - alone).max() <= self.tolerance

    def test_the_same_fit_makes_the_same_bytes(self) -> None:
        """Here, and in a thread of a race."""
        _, fields = make_sample(1)
        for params in self._points():
            here = self._fit(params)
            with open_lanes() as lanes:
                there = lanes.pool.submit(self._fit, params).result()
            graphs = [Trained(((made, 1.0),), Sigmoid(1.0, 0.0)).to_onnx(len(fields)) for made in (here, there)]
            assert graphs[0] == graphs[1], params

    def test_a_handful_of_rows_is_enough(self) -> None:
        """What a fold of the smallest allowed set leaves."""
        sample, fields = make_sample(40)
        for params in self._points():
            with threadpool_limits(1):
                fitted = self.make().fit(sample, fields, _unstopped(self.make(), params), seed=0)
            assert np.isfinite(fitted.margin(sample.x)).all(), params

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
        assert self._fit(suggested).size.operations > 0

    def test_stops_by_itself_and_settles(self) -> None:
        """After early stopping the rounds are known, and the settled parameters no longer ask for it."""
        for params in self._points():
            if params.get(EARLY) is True:
                rounds = self._fit(params).rounds
                settled = self.make().settled(params, rounds)
                assert rounds > 0
                assert settled.get(EARLY) is not True
                assert self._fit(settled).rounds == rounds

    def _points(self) -> list[Params]:
        learner = self.make()
        if learner.start is None:
            return [{}]
        return [{}, learner.suggest(optuna.trial.FixedTrial(dict(learner.start)))]

    def _fit(self, params: Params) -> Fitted:
        sample, fields = make_sample(800)
        fit, stop = sample, None
        if params.get(EARLY) is True:
            rows = np.arange(len(sample))
            fit, stop = sample.take(rows[rows % 5 > 0]), sample.take(rows[rows % 5 == 0])
        with threadpool_limits(1):  # as in a race
            return self.make().fit(fit, fields, params, seed=0, stop=stop)

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
