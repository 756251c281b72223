import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from drivetrain.core.artifacts import Features
from drivetrain.core.project import ModelSpec
from drivetrain.train.train import train

SPEC = {
    "candidates": [{"learner": "logistic"}, {"learner": "xgboost", "params": {"n_estimators": 15}}],
    "budget": {"trials": 6},
    "tracking": "off",
}
RUN = """
import sys
from pathlib import Path
import msgspec
from drivetrain.core.artifacts import Features
from drivetrain.core.project import ModelSpec
from drivetrain.store.catalog import Catalog
from drivetrain.train.train import train

home, features, spec = sys.argv[1:]
def told(done, total=None, note=""):
    print(done, flush=True)
with Catalog(Path(home)) as catalog:
    features = msgspec.json.decode(features, type=Features)
    print(train(ModelSpec.model_validate_json(spec), "risk", features, catalog, told).digest, flush=True)
"""


def start(home: Path, features: Features) -> subprocess.Popen:
    arguments = [str(home), msgspec.json.encode(features).decode(), ModelSpec.model_validate(SPEC).model_dump_json()]
    return subprocess.Popen([sys.executable, "-c", RUN, *arguments], stdout=subprocess.PIPE, text=True)


def killed_after(home: Path, features: Features, lines: int) -> int:
    """Run until so many steps were told, then SIGKILL; gives how many were told in all."""
    with start(home, features) as run:
        told = 0
        for _ in run.stdout:
            told += 1
            if told == lines:
                os.kill(run.pid, signal.SIGKILL)
    return told


def judged(catalog) -> int:
    return len(list(catalog.work_path("train", "x").parent.rglob("*.judged")))


@pytest.mark.parametrize(
    "kills",
    [pytest.param((9,)), pytest.param(tuple(random.Random(5).choices(range(1, 30), k=12)), marks=pytest.mark.slow)],
)
def test_a_search_killed_anywhere_goes_on_and_makes_the_same_model(loans, catalog, tmp_path_factory, kills):
    for lines in kills:
        killed_after(catalog.home, loans, lines)
        assert judged(catalog) >= min(lines, 9)
    resumed = train(ModelSpec.model_validate(SPEC), "risk", loans, catalog)
    assert judged(catalog) == 0
    untouched = train(ModelSpec.model_validate(SPEC), "risk", loans, catalog)
    assert resumed == untouched
    assert not [path for path in catalog.state.rglob(".new-*") if path.is_dir()]


def test_what_was_judged_is_not_fitted_again(loans, catalog, monkeypatch):
    killed_after(catalog.home, loans, 9)
    before = judged(catalog)
    fits = []
    from drivetrain.train.learners.logistic import Logistic

    fit = Logistic.fit
    monkeypatch.setattr(Logistic, "fit", lambda *told, **more: fits.append(1) or fit(*told, **more))
    train(ModelSpec.model_validate(SPEC), "risk", loans, catalog)
    resumed, fits[:] = len(fits), []
    train(ModelSpec.model_validate(SPEC), "risk", loans, catalog)
    assert resumed < len(fits)
    assert before > 0
