from __future__ import annotations

import numpy as np
import pytest

from drivetrain.core.project import GatesSpec
from drivetrain.validate.served import ServedPath, json_array, json_rows


@pytest.fixture
def evidence(world):
    return world.evidence(GatesSpec())


def test_json_and_back_is_the_packed_row(evidence):
    path = ServedPath(evidence.content.signature, evidence.scorer)
    packed = path.pack(json_array(json_rows(evidence.test.inputs)))
    assert np.array_equal(packed, evidence.packed, equal_nan=True)
    assert np.isnan(packed[:, 0]).any()


def test_one_row_scores_as_many_do(evidence):
    path = ServedPath(evidence.content.signature, evidence.scorer)
    rows = json_rows(evidence.test.inputs.slice(0, 40))
    alone = np.concatenate([path.score(json_array([row])) for row in rows])
    assert np.allclose(alone, path.score(json_array(rows)), rtol=0, atol=1e-12)
