"""What a person gets wrong in the spine is named, with rows to look at."""

from __future__ import annotations

from datetime import datetime

import pytest

from drivetrain.core.errors import InvalidInput

TABLE = "SELECT id, x FROM rows"


@pytest.fixture
def rows(project):
    project.source(
        "rows",
        {
            "id": [3, 1, 2, 5, 4, None] * 1,
            "y": [0, 1, 0, 1, 0, 1],
            "text": ["no", "yes", "no", "yes", "no", "yes"],
            "three": [0, 1, 2, 1, 0, 7],
            "half": [0.0, 1.0, 0.5, 1.0, 0.0, 0.0],
            "x": [0.3, 0.2, 0.1, 0.9, 0.7, 0.5],
            "moment": [datetime(2024, 1, day) for day in (1, 2, 3, 4, 5, 6)],
        },
    )
    return project


@pytest.mark.parametrize(
    ("spine", "rest", "code", "said"),
    [
        ("SELECT id AS ID, y FROM rows", {}, "column_missing", "no column 'id', which `features.entity` names"),
        ("SELECT id, y AS outcome FROM rows", {}, "column_missing", "no column 'y', which `features.label` names"),
        (
            "SELECT id, y FROM rows",
            {"time": "moment"},
            "column_missing",
            "no column 'moment', which `features.time` names",
        ),
        (
            "SELECT id, y FROM rows",
            {"split": {"by": "group", "column": "g"}},
            "column_missing",
            "no column 'g', which `features.split.column` names",
        ),
        (
            "SELECT half AS id, y FROM rows",
            {},
            "column_type",
            "'id' is number; `features.entity` needs integer or text",
        ),
        ("SELECT id, y, x AS moment FROM rows", {"time": "moment"}, "column_type", "needs date or timestamp"),
        (
            "SELECT id, y, x, moment FROM rows",
            {},
            "spine_column",
            "holds more than entity, label, time and split column: x, moment",
        ),
        ("SELECT id, y FROM rows WHERE id > 9", {}, "spine_empty", "no rows"),
        ("SELECT id, y FROM rows", {}, "spine_null", "'id' is null in 1 of 6 rows"),
        (
            "SELECT id, CASE WHEN id <> 2 THEN y END AS y FROM rows WHERE id > 0",
            {},
            "spine_null",
            "'y' is null in 1 of 5 rows, entities 2",
        ),
        (
            "SELECT id % 2 AS id, y FROM rows WHERE id > 0",
            {},
            "entity_repeated",
            "'id' does not name one case: 0 (2 rows), 1 (3 rows)",
        ),
        (
            "SELECT id % 2 AS id, y, DATE '2024-01-01' AS moment FROM rows WHERE id > 0",
            {"time": "moment"},
            "entity_repeated",
            "0 at 2024-01-01 (2 rows)",
        ),
        ("SELECT id, text AS y FROM rows WHERE id > 0", {}, "label_not_binary", "'y' is text and holds no, yes"),
        ("SELECT id, three AS y FROM rows WHERE id > 0", {}, "label_not_binary", "'y' is integer and holds 2"),
        ("SELECT id, half AS y FROM rows WHERE id > 0", {}, "label_not_binary", "'y' is number and holds 0.5"),
        (
            "SELECT id, moment AS y FROM rows WHERE id > 0",
            {},
            "label_not_binary",
            "'y' is timestamp and holds 2024-01-01",
        ),
        ("SELECT id, true AS y FROM rows WHERE id > 0", {}, "label_constant", "'y' is true in every row"),
    ],
)
def test_mistakes_are_named(rows, spine, rest, code, said):
    with pytest.raises(InvalidInput) as caught:
        rows.prepare(spine, TABLE, **rest)
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.where == "features/spine.sql"
    assert caught.value.hint


def test_a_missing_column_gets_a_guess(rows):
    with pytest.raises(InvalidInput) as caught:
        rows.prepare("SELECT id, y AS y2 FROM rows", TABLE)
    assert "it gives id, y2" in caught.value.hint


@pytest.mark.parametrize("label", ["y", "y = 1", "y::DOUBLE", "y::DECIMAL(3, 1)", "y::HUGEINT"])
def test_a_label_is_boolean_or_zero_and_one(project, label):
    project.source("rows", {"id": range(40), "y": [0, 1, 1, 0] * 10, "x": [0.1 * (n % 7) for n in range(40)]})
    features = project.prepare(f"SELECT id, {label} AS y FROM rows", TABLE)
    assert project.rows(features).column("y").to_pylist() == [False, True, True, False] * 10


def test_a_case_may_be_an_entity_at_a_time(project):
    days = [datetime(2024, 1, 1 + n % 20) for n in range(40)]
    rows = {"id": [n // 20 for n in range(40)], "y": [0, 1, 1, 0] * 10, "moment": days, "x": [n % 7 for n in range(40)]}
    project.source("rows", rows)
    project.source("people", {"id": [0, 1], "x": [5, 6]})
    features = project.prepare(
        "SELECT id, y, moment FROM rows", "SELECT id, x FROM people", time="moment", split={"by": "time", "test": 0.25}
    )
    found = project.rows(features)
    assert found.column("id").to_pylist() == [0] * 20 + [1] * 20
    assert found.column("moment").to_pylist() == sorted(found.column("moment").to_pylist()[:20]) * 2
