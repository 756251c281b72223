"""Ten classic leaks (and some more), planted one at a time, are refused with the column's name; honest data passes."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.store.tables import Table

SPINE = "SELECT id, y FROM loans"
HONEST = "SELECT id, income, debt, age, place FROM loans"
PLANTED = {
    "target copy": ("y::INTEGER", "leak_target_copy"),
    "inverted copy": ("NOT y", "leak_target_copy"),
    "scaled copy": ("CASE WHEN y THEN -3.5 ELSE 120.0 END", "leak_target_copy"),
    "encoded copy": (
        "CASE WHEN y THEN ['b', 'd', 'f'][1 + id % 3] ELSE ['a', 'c', 'e', 'g'][1 + id % 4] END",
        "leak_target_copy",
    ),
    "copy with gaps": ("CASE WHEN id % 3 > 0 THEN y END", "leak_target_copy"),
    "almost a copy": ("y::INTEGER * 2 + debt * 3", "leak_single_column"),
    "missing where the label is false": ("CASE WHEN y THEN debt END", "leak_missingness"),
    "filled only afterwards": ("CASE WHEN y AND id % 2 = 0 THEN age END", "leak_missingness"),
    "mean of the label": ("avg(y::INTEGER) OVER (PARTITION BY branch)", "leak_target_mean"),
    "mean of the label, rounded": ("round(avg(y::INTEGER) OVER (PARTITION BY branch), 3)", "leak_target_mean"),
    "the entity again": ("id", "leak_identifier"),
    "the number of the row": ("row_number() OVER (ORDER BY hash(id))", "leak_identifier"),
    "a reference": ("'REF-' || (id * 31 % 99991)", "leak_identifier"),
    "a hash": ("hash(id) // 2", "leak_identifier"),
    "a case number of the group with one outcome": ("id // 35 * 2 + y::INTEGER", "leak_target_copy"),
}


def refusal(project, *tables, spine=SPINE, **rest):
    with pytest.raises(Refused) as caught:
        project.prepare(spine, *tables, **rest)
    return caught.value


@pytest.mark.parametrize(("expression", "code"), PLANTED.values(), ids=PLANTED)
def test_a_planted_leak_is_refused_with_the_columns_name(loans, expression, code):
    error = refusal(loans, HONEST, f"SELECT id, {expression} AS planted FROM loans")
    assert error.code == code
    assert "column 'planted'" in error.message
    assert error.where == "features/t1.sql"
    assert "features.leaks.allow: [planted]" in error.hint
    assert not Table(loans.catalog.table_path("features", "risk")).exists()


@pytest.mark.parametrize(("expression", "_code"), PLANTED.values(), ids=PLANTED)
def test_a_person_may_keep_a_column(loans, expression, _code):
    features = loans.prepare(
        SPINE, HONEST, f"SELECT id, {expression} AS planted FROM loans", leaks={"allow": ["planted"]}
    )
    assert "planted" in features.inputs.names


def test_honest_data_passes(loans):
    features = loans.prepare(SPINE, HONEST, "SELECT id, branch, age * 12 AS months, income / 12 AS monthly FROM loans")
    assert len(features.inputs.columns) == 7
    assert "no leak in 7 columns" in loans.notes


def test_several_leaks_are_all_named(loans):
    error = refusal(loans, "SELECT id, y AS a, NOT y AS b, debt, id AS c FROM loans")
    assert error.code == "leak_target_copy"
    assert error.message.startswith("3 leaks")
    assert all(f"column {name!r}" in error.message for name in "abc")
    assert "features.leaks.allow: [a, b, c]" in error.hint


def test_a_strong_column_passes_under_a_higher_bound(loans):
    strong = "SELECT id, y::INTEGER * 2 + debt * 5 AS strong FROM loans"
    assert refusal(loans, HONEST, strong, leaks={"max_single_auc": 0.9}).code == "leak_single_column"
    assert loans.prepare(SPINE, HONEST, strong, leaks={"max_single_auc": 0.9999}).inputs.column("strong")


def test_allowing_a_column_that_is_not_there_is_a_mistake(loans):
    with pytest.raises(InvalidInput, match="no column 'incme' to allow") as caught:
        loans.prepare(SPINE, HONEST, leaks={"allow": ["incme"]})
    assert "did you mean 'income'?" in caught.value.hint


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def visits(project):
    """Visits of 300 customers over a year, each with what happened and when it was closed."""
    random = np.random.default_rng(5)
    size = 1200
    day = [datetime(2024, 1, 1) + timedelta(days=int(n)) for n in random.integers(0, 360, size)]
    customer = random.integers(0, 300, size)
    project.source(
        "visits",
        {
            "id": range(size),
            "customer": customer,
            "y": random.random(size) < 0.3,
            "day": day,
            "closed": [d + timedelta(days=int(n)) for d, n in zip(day, random.integers(-40, 40, size), strict=True)],
            "opened": [d - timedelta(days=int(n)) for d, n in zip(day, random.integers(0, 90, size), strict=True)],
            "spend": random.gamma(2, 20, size).round(2),
        },
    )
    return project


TIMED = "SELECT id, y, day FROM visits"


def test_a_column_from_the_future_is_refused(visits):
    error = refusal(visits, "SELECT id, spend, opened, closed FROM visits", spine=TIMED, time="day")
    assert error.code == "leak_future"
    assert "column 'closed' lies after 'day' in " in error.message
    assert "event_time" in error.hint


def test_a_date_of_the_same_day_is_not_the_future(visits):
    sql = "SELECT id, spend, opened, day::DATE AS today FROM visits"
    assert visits.prepare(TIMED, sql, time="day").inputs.names == ("spend", "opened", "today")


@pytest.mark.parametrize("by", ["stratum", "chance"])
def test_groups_on_both_sides_are_refused(visits, by):
    error = refusal(
        visits,
        "SELECT id, spend FROM visits",
        spine="SELECT id, y, customer FROM visits",
        split={"by": by, "column": "customer"},
    )
    assert error.code == "leak_group"
    assert "column 'customer' has " in error.message
    assert "on both sides of the split" in error.message
    assert "{by: group, column: customer}" in error.hint


def test_groups_kept_together_pass(visits):
    spine = "SELECT id, y, customer FROM visits"
    features = visits.prepare(spine, "SELECT id, spend FROM visits", split={"by": "group", "column": "customer"})
    assert "customer" not in visits.rows(features).column_names


def test_an_entity_with_several_cases_is_a_group(visits):
    spine = "SELECT customer AS id, bool_or(y) AS y, day FROM visits GROUP BY customer, day"
    table = "SELECT customer AS id, avg(spend) AS spend FROM visits GROUP BY customer"
    assert "column 'id' has " in refusal(visits, table, spine=spine, time="day").message
    assert visits.prepare(spine, table, time="day", split={"by": "group", "column": "id"})
    assert visits.prepare(spine, table, time="day", split={"by": "time"})


def test_the_number_of_a_group_that_shares_its_label_is_refused(visits):
    visits.source("owners", {"customer": range(300), "gone": [hash(str(n * n)) % 1 == n % 4 for n in range(300)]})
    spine = "SELECT id, gone AS y FROM visits JOIN owners USING (customer)"
    error = refusal(visits, "SELECT id, spend, customer * 7919 % 1009 AS account FROM visits", spine=spine)
    assert (error.code, "column 'account'" in error.message) == ("leak_target_copy", True)


# --- duplicate rows --------------------------------------------------------------------------------------------------


def test_copied_rows_are_refused_with_their_columns_and_entities(loans):
    copies = "SELECT id * 10 + n AS id, {} FROM loans, range(2) AS copy(n) WHERE n = 0 OR id % 4 = 0"
    error = refusal(loans, copies.format("income, debt, age"), spine=copies.format("y"))
    assert error.code == "leak_duplicate_rows"
    assert "column 'income, debt, age' and the label are equal in " in error.message
    assert "'id'" in error.message
    allowed = loans.prepare(copies.format("y"), copies.format("income, debt, age"), leaks={"max_duplicates": 1})
    assert sum(part.rows for part in allowed.parts) > 1500


def test_an_oversampled_class_is_refused(loans):
    copies = "SELECT id * 10 + n AS id, {} FROM loans, range(6) AS copy(n) WHERE n = 0 OR y"
    assert refusal(loans, copies.format("debt, age, place"), spine=copies.format("y")).code == "leak_duplicate_rows"


def test_coarse_data_has_no_copies(loans):
    features = loans.prepare(SPINE, "SELECT id, age // 10 AS decade, place, branch % 3 AS kind FROM loans")
    assert len(features.inputs.columns) == 3


@pytest.mark.parametrize("seed", range(8))
def test_honest_data_of_many_shapes_passes(project, seed):
    """Small and large, rare and common labels, strong and useless columns, spikes, gaps and near-constants."""
    random = np.random.default_rng(seed)
    size = int(random.choice([60, 200, 900, 4000]))
    driver = random.normal(size=size)
    chance = 1 / (1 + np.exp(random.uniform(-0.5, 2.5) - random.uniform(0, 2) * driver))
    label = random.random(size) < chance
    label[:2] = [True, False]
    project.source(
        "loans",
        {
            "id": [f"K{n:05}" for n in random.permutation(size)],
            "y": label,
            "driver": driver.round(int(random.integers(0, 4))),
            "spike": np.where(random.random(size) < 0.8, 0.0, random.lognormal(3, 1, size)),
            "income": random.integers(800, 900_000, size),
            "share": random.beta(1, 3, size).round(2),
            "gap": pa.array(random.normal(size=size), mask=random.random(size) < chance),
            "rare": random.random(size) < 0.01,
            "code": random.choice([f"c{n}" for n in range(30)], size),
            "constant": np.ones(size),
            "empty": pa.nulls(size, pa.float64()),
            "opened": [datetime(2020, 1, 1) + timedelta(hours=int(n)) for n in random.integers(0, 9000, size)],
        },
    )
    assert project.prepare(SPINE, "SELECT * EXCLUDE (y) FROM loans")
