"""The page shows what moved first, with before and now side by side."""

import json
import re

import numpy as np

from drivetrain.core.artifacts import ColumnDrift
from drivetrain.core.model import Distribution, InputField
from drivetrain.core.schema import ColumnType
from drivetrain.monitor.columns import Comparison
from drivetrain.monitor.page import _shares


def page_of(world, drift):
    text = (world.folder(drift) / "report.html").read_text()
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', text, re.DOTALL)
    return text.partition("<script>")[0], json.loads(figures)


def test_drifted_columns_come_first_then_the_score_then_the_rest(world, rows, scored):
    inputs, _ = rows(1000, seed=2)
    inputs[:, 1] += 1
    inputs[:, 3] = 2
    world.serve(inputs, scored(inputs))
    text, figures = page_of(world, world.watch())
    titles = re.findall(r"<h3>(.*?)</h3>", text)
    assert titles[:3] == ["late_payments", "region", "score"]
    assert set(titles[-3:]) == {"income", "owner", "since"}
    region = figures[1]["data"]
    assert [series["name"] for series in region] == ["training", "now"]
    assert region[0]["x"] == ["(unknown)", "east", "north", "west"]
    assert region[1]["y"] == [0, 0, 0, 100]
    assert sum(region[0]["y"]) == 100
    assert "What to do" in text
    assert "PSI over time" in titles


def test_performance_and_its_coverage_are_told(world, rows, labels):
    inputs, score = rows(500, seed=2)
    ids = np.array(world.serve(inputs, score))
    flagged = score >= 0.2
    world.tell(ids[flagged], labels(score, seed=3)[flagged])
    text, _ = page_of(world, world.watch())
    assert "A label has arrived for 100% of the true decisions and for 0% of the false ones" in text
    assert "On labelled predictions" in text


def test_a_page_without_predictions_says_so(world):
    text, *_ = (world.folder(world.watch()) / "report.html").read_text().partition("<script>")
    assert "Too few rows: too few predictions to judge: 0 of the 200" in text
    assert "No labels have arrived" in text


def test_many_categories_are_the_fullest_and_the_rest():
    counts = tuple(range(1, 102))
    cuts = tuple(code - 0.5 for code in range(100))
    spread = Distribution("city", cuts, counts, 0)
    comparison = Comparison(ColumnDrift("city", 0.0, 1.0, 0.0, 0.0, False), spread, spread, 0.0)
    field = InputField("city", ColumnType.TEXT, True, tuple(f"c{code:03d}" for code in range(100)))
    labels, before, now = _shares(comparison, field)
    assert (len(labels), labels[0], labels[-1]) == (21, "c080", "82 others")
    assert sum(before) == sum(now) == 100
