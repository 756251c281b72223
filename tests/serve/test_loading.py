"""Only what was signed and approved answers, and only when it answers as its report says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.artifacts import Release
from drivetrain.core.errors import DrivetrainError, Refused
from drivetrain.serve.loading import CHUNK, LoadedRelease, load
from drivetrain.store.catalog import Catalog
from drivetrain.store.golden import Golden
from drivetrain.testing.graphs import draw, expected_score, logistic_model, without_scores
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Template, spoil

Refusal = Callable[[Release], DrivetrainError]


@pytest.fixture
def refusal(home: Path) -> Refusal:
    def attempt(release: Release) -> DrivetrainError:
        with Catalog(home) as catalog, pytest.raises(DrivetrainError) as caught:
            load(catalog, release.ref).close()
        return caught.value

    return attempt


def test_a_release_answers_as_its_model_does(loaded: LoadedRelease, template: Template) -> None:
    assert loaded.ref == template.good.ref
    assert (loaded.saying.rule.threshold, loaded.processes) == (0.5, 0)
    rows = draw(CHUNK * 3 + 5, seed=1)
    assert loaded.score(rows) == pytest.approx([expected_score(row) for row in rows], abs=1e-12)
    assert loaded.score(rows[:1]).shape == (1,)


@pytest.mark.parametrize("name", ["model/model.onnx", "manifest.json", "approval.dsse.json"])
def test_a_flipped_bit_anywhere_is_noticed(home: Path, template: Template, refusal: Refusal, name: str) -> None:
    spoil(home, template.good, name)
    assert name.rpartition("/")[2] in str(refusal(template.good))


def test_what_was_not_approved_does_not_answer(maker: ReleaseMaker, refusal: Refusal) -> None:
    fresh = maker.release(logistic_model([0.1] * 6), approved=False)
    assert refusal(fresh).code == "release_not_approved"


def test_a_model_that_does_not_answer_as_its_report_says_is_refused(maker: ReleaseMaker, refusal: Refusal) -> None:
    scores = np.array([expected_score(row) for row in draw(16)])
    scores[7] += 1e-3
    error = refusal(maker.release(logistic_model(), golden=Golden(draw(16), scores)))
    assert isinstance(error, Refused)
    assert "golden" in str(error)


def test_a_model_without_a_score_for_its_typical_row_is_refused(maker: ReleaseMaker, refusal: Refusal) -> None:
    error = refusal(maker.release(without_scores(1000.0)))
    assert error.code == "model_does_not_answer"
    assert "rollback" in error.hint
