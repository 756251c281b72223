"""Models that are Python code, good and wild, and how the tests of the server ask them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import numpy as np

from drivetrain.serve.settings import ServiceSettings
from drivetrain.testing.code_models import BAD, GOOD, code_model, soon_tried_again
from drivetrain.testing.graphs import ROW, Numbers
from drivetrain.testing.releases import ReleaseMaker

from .conftest import Running

CODE, CRAWLS = "judges", "crawls"
NO_NUMBER, TOO_FEW, TOO_MUCH, MIXED = 105.0, 106.0, 107.0, 109.0
SLOW, SLOW_CALL = 108.0, 111.0
WILD = """\
import time
import numpy as np
from scoring_bad import score as bad

def score(columns):
    scores, age = bad(columns), columns["age"]
    if (age == 106).any():
        return scores[1:]
    time.sleep(0.4 * (age == 108).any() + 0.2 * (age == 111).any())
    if ((age == 109) & (columns["income-per-month"] == 3000.0)).any():
        raise KeyError("a row that nobody has sent")
    return np.where(age == 105, np.nan, np.where(age == 107, 1.5, scores))
"""
WHILE_THERE = """\
import os
from scoring_good import score as good

def score(columns):
    if os.path.exists({path!r}):
        {deed}
    return good(columns)
"""
CRAWLING = """\
import time
from scoring_good import score as good

def score(columns):
    time.sleep(0.1 * (columns["age"] == 108).sum())
    return good(columns)
"""
OVER = {"scoring_bad.py": BAD.encode(), "scoring_good.py": GOOD.encode()}
SECONDS = 1.0
"""What a call of the wild model may take."""
Rows = Sequence[dict[str, object]]


def wild(processes: int = 1):
    """The bad model, and worse."""
    return soon_tried_again(code_model(WILD, OVER, processes=processes, seconds=SECONDS), 0.3)


def while_there(path: Path, deed: str, seconds: float = 1.0):
    """A good model that does something else as long as a file is there."""
    return soon_tried_again(code_model(WHILE_THERE.format(path=str(path), deed=deed), OVER, seconds=seconds), 0.3)


def good_scores(rows: Numbers) -> list[float]:
    """What the code answers when all is well."""
    names: dict[str, Callable[[object], Numbers]] = {}
    exec(GOOD, names)
    return names["score"]({"age": rows[:, 0], "income-per-month": rows[:, 1]}).tolist()


def at_age(age: float) -> dict[str, object]:
    return {**ROW, "age": int(age)}


(GOOD_SCORE,) = good_scores(np.array([[ROW["age"], ROW["income-per-month"]]], dtype=np.float64))


def deploy(home: Path, content, service: str = CODE) -> ReleaseMaker:
    maker = ReleaseMaker(home, service)
    maker.deploy(maker.release(content))
    return maker


def beside(home: Path, **settings: object) -> ServiceSettings:
    return ServiceSettings(home, CODE, **settings)  # type: ignore[arg-type]  # whichever a test names


def judge(server: Running, *rows: dict[str, object], timeout: float = 20, **headers: str) -> httpx.Response:
    path, headers = f"{server.url}/services/{CODE}/v1/predict", {**headers, "X-API-Key": server.key}
    return httpx.post(path, json={"rows": rows}, headers=headers, timeout=timeout)


def assert_good(response: httpx.Response, rows: int = 1) -> None:
    assert response.status_code == 200, response.text
    assert [found["score"] for found in response.json()["predictions"]] == [GOOD_SCORE] * rows


def offspring(pid: int) -> list[int]:
    """All processes that a process has started, whichever of its threads did."""
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for children in found for child in children]
