"""Stage 2 whole: exact versions in, an ordered, split, digested Delta table out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.model_selection import train_test_split

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.store.cases import read_cases

SPINE = "SELECT id, y FROM loans"
TABLE = "SELECT id, income, debt, age, place FROM loans"


def test_what_comes_out(loans):
    features = loans.prepare(SPINE, TABLE)
    rows = loans.rows(features)
    assert rows.column_names == ["id", "y", "split", "income", "debt", "age", "place"]
    assert rows.column("id").to_pylist() == sorted(rows.column("id").to_pylist())
    assert [rows.schema.field(name).nullable for name in ("id", "y", "split")] == [False] * 3
    assert features.ref == Ref(Kind.FEATURES, "risk", "0")
    assert features.parents == (loans.datasets["loans"].ref,)
    assert [file.path for file in features.sql] == ["features/spine.sql", "features/t0.sql"]
    assert [(c.name, c.type, c.nullable) for c in features.inputs.columns] == [
        ("income", ColumnType.NUMBER, True),
        ("debt", ColumnType.NUMBER, False),
        ("age", ColumnType.INTEGER, False),
        ("place", ColumnType.TEXT, True),
    ]
    for part in features.parts:
        cases = read_cases(loans.catalog, features, part.part)
        assert (len(cases), int(cases.label.sum())) == (part.rows, part.positives)
    assert loans.notes[0] == "1,500 cases"
    assert loans.notes[-1] == "version 0"


def test_the_test_part_is_the_one_that_scikit_learn_draws(loans):
    features = loans.prepare(SPINE, TABLE, split={"by": "stratum", "test": 0.25, "seed": 3})
    rows = loans.rows(features)
    label = rows.column("y").to_numpy()
    _, test = train_test_split(np.arange(1500), test_size=0.25, stratify=label, random_state=3)
    assert np.flatnonzero(rows.column("split").to_numpy(zero_copy_only=False) == "test").tolist() == sorted(test)


def test_nothing_changed_makes_no_new_version(loans):
    first = loans.prepare(SPINE, TABLE)
    assert loans.prepare(SPINE, TABLE) == first
    assert loans.notes[-1] == "version 0, as before"


def test_a_comment_makes_a_version_with_the_same_digest(loans):
    first, second = loans.prepare(SPINE, TABLE), loans.prepare(SPINE, f"-- looked at\n{TABLE}")
    assert (second.version, second.digest) == (1, first.digest)
    assert second.sql != first.sql


def test_another_split_is_another_content(loans):
    first, second = loans.prepare(SPINE, TABLE), loans.prepare(SPINE, TABLE, split={"seed": 1})
    assert first.digest != second.digest
    assert loans.rows(first).column("split") != loans.rows(second).column("split")


def test_exactly_the_version_of_the_dataset_is_read(loans):
    old = loans.datasets["loans"]
    first = loans.prepare(SPINE, TABLE)
    more = {"id": [1], "y": [True], "income": [1.5], "debt": [0.1], "age": [40], "place": ["west"], "branch": [1]}
    loans.source("loans", more)
    grown = loans.prepare(SPINE, TABLE)
    assert grown.parents == (Ref(Kind.DATASET, "loans", "1"),)
    assert loans.rows(grown).num_rows == 1501
    loans.datasets["loans"] = old
    assert loans.prepare(SPINE, TABLE).digest == first.digest


def test_only_the_sources_that_the_sql_reads_are_parents(loans):
    loans.source("other", {"id": [1]})
    assert loans.prepare(SPINE, TABLE).parents == (loans.datasets["loans"].ref,)


def test_the_order_of_source_rows_does_not_matter(loans, tmp_path_factory):
    first = loans.prepare(SPINE, TABLE)
    rows = loans.catalog.table_path("datasets", "loans")
    turned = type(loans)(tmp_path_factory.mktemp("turned"))
    table = pa.dataset.dataset(sorted(rows.glob("*.parquet"))).to_table()
    turned.source("loans", table.take(list(range(1500))[::-1]))
    assert turned.prepare(SPINE, TABLE).digest == first.digest
    turned.catalog.close()


def test_every_type_goes_in_and_comes_back(loans):
    sql = """
        SELECT id, debt > 0.3 AS flag, age, sum(age) OVER (PARTITION BY branch) AS total,
            income::DECIMAL(12, 2) AS money, place, DATE '2020-01-01' + age::INTEGER AS day,
            TIMESTAMP '2020-01-01' + to_hours(branch) AS hour
        FROM loans
    """
    features = loans.prepare(SPINE, sql)
    kinds = ["boolean", "integer", "number", "number", "text", "date", "timestamp"]
    assert [column.type for column in features.inputs.columns] == kinds
    types = [str(field.type) for field in loans.rows(features).schema][3:]
    assert types == ["bool", "int64", "double", "double", "string", "date32[day]", "timestamp[us, tz=UTC]"]


def test_an_entity_of_text_is_ordered_by_bytes(loans):
    name = "chr((97 + id % 26)::INTEGER) || chr((65 + id // 26 % 26)::INTEGER) || id"
    features = loans.prepare(f"SELECT {name} AS id, y FROM loans", f"SELECT {name} AS id, debt, age FROM loans")
    names = loans.rows(features).column("id").to_pylist()
    assert names == sorted(names)


def test_no_feature_table_is_a_mistake(loans):
    with pytest.raises(InvalidInput, match="no feature table"):
        loans.prepare(SPINE)


def test_a_missing_sql_file_is_named(loans):
    with pytest.raises(NotFound) as caught:
        loans.prepare(SPINE, tables={"late": {"sql": "features/late.sql"}})
    assert caught.value.where == "features/late.sql"


def test_a_dataset_version_that_is_gone_is_named(loans):
    old = loans.datasets["loans"]
    loans.datasets["loans"] = type(old)("loans", 7, "x", 1, 0, old.schema)
    with pytest.raises(NotFound, match="no version 7"):
        loans.prepare(SPINE, TABLE)


def test_two_splits_by_time(loans):
    spine = "SELECT id, y, TIMESTAMP '2024-01-01' + to_days((id % 300)::INTEGER) AS day FROM loans"
    by_default = loans.prepare(spine, TABLE, time="day", split={"by": "time", "test": 0.3})
    rows = loans.rows(by_default)
    newest = {
        part: rows.filter(pa.compute.field("split") == part).column("day").to_pylist() for part in ("train", "test")
    }
    assert max(newest["train"]) < min(newest["test"])
    assert 0.28 < by_default.parts[1].rows / 1500 < 0.32
    by_column = loans.prepare(spine, TABLE, split={"by": "time", "column": "day", "test": 0.3})
    assert by_column.parts == by_default.parts
    assert "day" not in loans.rows(by_column).column_names


def test_rows_whose_outcome_was_not_known_yet_belong_to_no_part(loans):
    spine = "SELECT id, y, TIMESTAMP '2024-01-01' + to_days((id % 300)::INTEGER) AS day FROM loans"
    whole = loans.prepare(spine, TABLE, time="day", split={"by": "time", "test": 0.3})
    features = loans.prepare(spine, TABLE, time="day", split={"by": "time", "test": 0.3, "gap_days": 30})
    rows = loans.rows(features)
    days = {
        part: rows.filter(pa.compute.field("split") == part).column("day").to_pylist() for part in ("train", "test")
    }
    assert (min(days["test"]) - max(days["train"])).days == 31
    assert features.parts[1] == whole.parts[1]
    assert features.parts[0].rows < whole.parts[0].rows
    with pytest.raises(InvalidInput, match="all rows for training lie in the 500 days"):
        loans.prepare(spine, TABLE, time="day", split={"by": "time", "test": 0.3, "gap_days": 500})


def test_a_split_by_time_needs_a_time(loans):
    with pytest.raises(InvalidInput, match="a split by time needs a date or timestamp, not nothing"):
        loans.prepare(SPINE, TABLE, split={"by": "time"})
    with pytest.raises(InvalidInput, match="a split by time needs a date or timestamp, not branch integer"):
        loans.prepare("SELECT id, y, branch FROM loans", TABLE, split={"by": "time", "column": "branch"})


def _machines(project):
    """Thirty machines with twenty readings each; five are held back, and the newest reading has no outcome yet."""
    random = np.random.default_rng(4)
    unit = np.repeat(np.arange(30), 20)
    day = np.tile(np.arange(20), 30)
    heat = random.normal(size=600) + unit % 3
    project.source("readings", {"unit": unit, "day": day, "heat": heat, "left": heat + random.normal(size=600)})
    return project


MACHINES = """SELECT unit * 100 + day AS id, unit, day, unit % 6 = 0 AS held, CASE WHEN day < 19 THEN "left" END AS y
    FROM readings"""
HEAT = "SELECT unit * 100 + day AS id, heat FROM readings"


def test_open_rows_kept_columns_and_a_given_split(project):
    rest = {
        "task": "number", "keep": ["unit", "day"], "open": True,
        "split": {"by": "given", "column": "held", "blocks": "unit"},
    }  # fmt: skip
    features = _machines(project).prepare(MACHINES, HEAT, **rest)
    assert [(part.part, part.rows) for part in features.parts] == [("train", 475), ("test", 95), ("open", 30)]
    rows = project.rows(features)
    assert rows.column_names == ["id", "y", "split", "unit", "day", "_block", "heat"]
    assert features.inputs.names == ("heat",)
    waiting = rows.filter(pc.equal(rows["split"], "open"))
    assert (waiting["y"].null_count, set(waiting["day"].to_pylist())) == (30, {19})
    cases = read_cases(project.catalog, features, "test")
    assert set(cases.kept["unit"].to_pylist()) == {0, 6, 12, 18, 24}
    assert set(cases.blocks.tolist()) == {0, 6, 12, 18, 24}


def test_rows_without_an_outcome_are_a_mistake_unless_they_may_be_open(project):
    spine = MACHINES.replace("unit, day, unit % 6 = 0 AS held,", "")
    with pytest.raises(InvalidInput, match="null in 30 of 600") as caught:
        _machines(project).prepare(spine, HEAT, task="number")
    assert "features.open" in caught.value.hint


def test_a_given_split_is_true_or_false(project):
    with pytest.raises(InvalidInput, match="true or false"):
        _machines(project).prepare(
            MACHINES.replace("unit % 6 = 0 AS held", "unit % 6 AS held"), HEAT, task="number", open=True,
            keep=["unit", "day"], split={"by": "given", "column": "held"},
        )  # fmt: skip


def test_what_is_kept_is_no_feature(project):
    with pytest.raises(InvalidInput, match="no feature can be named 'unit'"):
        _machines(project).prepare(
            MACHINES.replace("day, unit % 6 = 0 AS held,", ""), HEAT.replace("heat", "heat, unit"), task="number",
            open=True, keep=["unit"],
        )  # fmt: skip


def test_blocks_of_a_split_by_group_and_by_time(project):
    at = "DATE '2026-01-01' + CAST(day AS INTEGER) AS at"
    spine = f'SELECT unit * 100 + day AS id, unit, {at}, "left" AS y FROM readings'
    by_group = _machines(project).prepare(
        spine, HEAT, task="number", time="at", split={"by": "group", "column": "unit", "test": 0.2}
    )
    assert (by_group.blocks, len(set(read_cases(project.catalog, by_group, "train").blocks.tolist()))) == ("groups", 24)
    by_time = project.prepare(
        spine.replace("unit, DATE", "DATE"), HEAT, task="number", time="at", split={"by": "time", "test": 0.2}
    )
    assert (by_time.blocks, set(read_cases(project.catalog, by_time, "test").blocks.tolist())) == (
        "moments", {16, 17, 18, 19}
    )  # fmt: skip
