"""The contract of a Detector. Subclass it in your tests, name the class ``Test...``, and make your detector.

class TestMine(DetectorContract):
    def make(self) -> Detector:
        return Mine()
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from drivetrain.core.schema import ColumnType
from drivetrain.ops.metrics import Numbers
from drivetrain.ops.ranks import fit_rank
from drivetrain.store.models import Scorer
from drivetrain.testing.learners import make_sample
from drivetrain.train.detector import Detector
from drivetrain.train.learner import Fitted
from drivetrain.train.trained import Trained


class DetectorContract:
    """What every detector owes to the model that it becomes part of, and to the server."""

    tolerance = 1e-6

    def make(self) -> Detector:
        """The detector under test."""
        raise NotImplementedError

    def test_what_is_far_out_is_odder_than_what_it_learned_from(self) -> None:
        """In a column of numbers, moved up to where no row lies."""
        fitted, rows = self._fit(), self._rows(200)
        far = rows.copy()
        far[:, 1] = 1e4
        assert np.median(fitted.margin(far)) > np.quantile(fitted.margin(rows), 0.9)

    def test_every_row_has_an_oddness(self) -> None:
        """A finite one, whatever the row."""
        assert np.isfinite(self._fit().margin(self._stressed())).all()

    def test_the_export_agrees_row_by_row(self) -> None:
        """On seen rows, missing values in every column, unknown texts, and values far out of range."""
        judged, trained = self._stressed(), self._trained()
        served, expected = Scorer(trained.to_onnx(judged.shape[1])).score(judged), trained.answer(judged)
        assert np.abs(served - expected).max() <= self.tolerance

    def test_one_row_scores_as_in_a_batch(self) -> None:
        """The server may batch as it likes."""
        judged = self._stressed()[:40]
        scorer = Scorer(self._trained().to_onnx(judged.shape[1]))
        alone = np.concatenate([scorer.score(row[None, :]) for row in judged])
        assert np.abs(scorer.score(judged) - alone).max() <= self.tolerance

    def test_the_same_fit_makes_the_same_bytes(self) -> None:
        """Whatever the number of cores."""
        graphs = [self._trained().to_onnx(self._rows(1).shape[1]) for _ in range(2)]
        assert graphs[0] == graphs[1]

    def test_names_its_parameters(self) -> None:
        """Once each."""
        names = self.make().parameters()
        assert len(set(names)) == len(names)

    @staticmethod
    def _rows(rows: int, seed: int = 0) -> Numbers:
        return make_sample(rows, seed)[0].x

    def _fit(self) -> Fitted:
        sample, fields = make_sample(800)
        with threadpool_limits(1):
            return self.make().fit(sample.x, fields, {}, seed=0)

    def _trained(self) -> Trained:
        fitted = self._fit()
        return Trained(((fitted, 1.0),), fit_rank(fitted.margin(self._rows(400, 1))))

    def _stressed(self) -> Numbers:
        sample, fields = make_sample(200, seed=2)
        rows = [sample.x]
        for column, field in enumerate(fields):
            for value in (np.nan, -1.0) if field.type is ColumnType.TEXT else (np.nan, -1e300, 1e300):
                changed = sample.x[:20].copy()
                changed[:, column] = value
                rows.append(changed)
        return np.vstack(rows)
