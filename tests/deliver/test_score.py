"""From files and tables to predictions: every row once, in every format, and on again after any end."""

import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from tests.deliver.conftest import bad_rows, close, loans, predictions, scores, table_of

from drivetrain.access.verification import verify_release
from drivetrain.core.artifacts import Dataset
from drivetrain.core.errors import InvalidInput, NotFound, Refused, Transient
from drivetrain.core.model import DecisionRule
from drivetrain.core.schema import Schema
from drivetrain.ops.golden import golden_rows
from drivetrain.store.golden import Golden
from drivetrain.store.tables import Commit, Table
from drivetrain.testing.code_models import FAILS, bad_code, good_code
from drivetrain.testing.graphs import (
    CLASSES,
    NO_SCORE,
    again,
    classes_model,
    draw,
    expected_classes,
    expected_number,
    logistic_model,
    number_model,
)

BOTH = pytest.mark.parametrize("form", ["delta", "parquet"])


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.zst", "a.parquet"])
def test_every_format_gives_the_same_predictions(world, name):
    getattr(world, name.split(".")[1])(name, loans(300))
    scored = world.score(name)
    rows = predictions(scored)
    assert (scored.rows, scored.bad, scored.before) == (300, 0, 0)
    assert close([row["score"] for row in rows], scores(300))
    assert [row["decision"] for row in rows] == [score >= 0.5 for score in scores(300)]
    assert [(row["case"], row["file"], row["row"]) for row in rows] == [(f"c{at}", name, at + 1) for at in range(300)]
    assert {row["release"] for row in rows} == {str(world.release.ref)}


def test_a_folder_and_a_glob_of_many_formats(world):
    (world.home / "in").mkdir()
    world.csv("in/a.csv", loans(20))
    world.jsonl("in/b.jsonl", loans(30, 1))
    world.parquet("in/c.parquet", loans(40, 2))
    rows = predictions(world.score("in"))
    assert close([row["score"] for row in rows], [*scores(20), *scores(30, 1), *scores(40, 2)])
    assert {row["file"] for row in rows} == {"in/a.csv", "in/b.jsonl", "in/c.parquet"}
    assert world.score("in/*.parquet", world.home / "out").rows == 40
    with pytest.raises(NotFound, match="no such file"):
        world.score("in/*.xml")


def test_a_delta_table_with_partitions_and_columns_that_came_later(world):
    rows = table_of(loans(60))
    write_deltalake(world.home / "t", rows.drop_columns(["member"]), partition_by=["city"])
    write_deltalake(world.home / "t", rows, mode="append", schema_mode="merge")
    scored = world.score("t", keep=("case", "city"))
    found = predictions(scored)
    assert scored.rows == 120
    assert sorted(row["case"] for row in found) == sorted(f"c{at}" for at in range(60) for _ in "ab")
    expected = dict(zip((f"c{at}" for at in range(60)), scores(60), strict=True))
    same = [abs(row["score"] - expected[row["case"]]) < 1e-9 for row in found]
    assert 60 <= sum(same) < 120  # without `member`, most of the others are scored otherwise
    assert {row["city"] for row in found} == set(rows["city"].to_pylist())
    assert all("city=" in row["file"] for row in found)


def test_versions_of_tables_by_ref_and_by_path(world):
    table = Table(world.catalog.table_path("datasets", "loans"))
    for version in (0, 1):
        table.append(table_of(loans(20, version)), Commit("", "", 0))
        world.catalog.put(Dataset("loans", version, f"d{version}", 0, 0, Schema(())))
    assert world.score("dataset/loans@0").rows == 20
    assert world.score("dataset/loans@1", world.home / "out").rows == 40
    assert world.score(f"{table.path}@0", world.home / "other").rows == 20
    with pytest.raises(NotFound, match="dataset/loans@7"):
        world.score("dataset/loans@7")
    with pytest.raises(InvalidInput, match="no rows to score"):
        world.score(str(world.release.ref))


@BOTH
def test_bad_rows_wait_with_their_reasons(world, form):
    rows = loans(10)
    rows[1]["age"] = None
    rows[2]["age"] = "forty"
    rows[3] |= {"age": 40.5, "income-per-month": "inf", "born": "31.12.1999"}
    rows[4]["income-per-month"] = NO_SCORE * 2
    rows[5] |= {"city": "Zug", "member": None}
    world.csv("a.csv", rows)
    with (world.home / "a.csv").open("a") as file:
        file.write("one,cell,too,many,for,this,table,of,loans\n")
    scored = world.score("a.csv", max_bad_share=0.5, format=form)
    assert (scored.rows, scored.bad) == (6, 5)
    assert [row["row"] for row in predictions(scored)] == [1, 6, 7, 8, 9, 10]
    assert {row["row"]: row["reasons"] for row in bad_rows(scored)} == {
        2: ["age is missing"],
        3: ["age: 'forty' is not an integer"],
        4: ["age: '40.5' is not an integer", "income-per-month: 'inf' is not a finite number",
            "born: '31.12.1999' is not a date (YYYY-MM-DD)"],
        5: ["the model has no score for this row"],
        11: ["the row has 9 values for 7 columns"],
    }  # fmt: skip
    assert json.loads(bad_rows(scored)[1]["raw"])["age"] == "forty"
    assert [row["portion"] for row in bad_rows(scored)] == ["a.csv"] * 5


def test_lines_that_are_no_object_are_bad_rows(world):
    world.jsonl("a.jsonl", loans(3))
    with (world.home / "a.jsonl").open("a") as file:
        file.write("\n[1]\n{}\n")
    scored = world.score("a.jsonl", max_bad_share=0.5)
    assert scored.rows == 3
    assert [row["row"] for row in bad_rows(scored)] == [5, 6]


def test_too_many_bad_rows_are_refused_and_may_be_agreed_to(world):
    rows = loans(50)
    rows[7]["age"] = None
    world.csv("a.csv", rows)
    for _ in "ab":
        with pytest.raises(Refused, match=r"1 of 50 rows are bad \(2.00%, allowed 1.00%\)") as refusal:
            world.score("a.csv")
        assert Table(world.catalog.table_path("scores", "a-quarantine")).read().num_rows == 1
        assert str(world.catalog.table_path("scores", "a-quarantine")) == refusal.value.where
    agreed = world.score("a.csv", max_bad_share=0.02)
    assert (agreed.rows, agreed.bad, agreed.before) == (49, 1, 50)


def test_a_flood_of_bad_rows_ends_it_before_all_are_read(world):
    world.csv("a.csv", [{**row, "age": "?"} for row in loans(50)] * 1000)
    with pytest.raises(Refused, match=r"10,000 of 10,000 rows are bad"):
        world.score("a.csv", commit_rows=2000)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_missing_column_is_named_with_the_near_one(world, kind):
    rows = [{("incomes" if name == "income-per-month" else name): value for name, value in row.items()}
            for row in loans(5)]  # fmt: skip
    rows = [{("Age" if name == "age" else name): value for name, value in row.items()} for row in rows]
    path = world.home / f"a.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        getattr(world, kind)(path.name, rows)
    with pytest.raises(InvalidInput, match=r"there is no column 'age'.*did you mean 'Age'") as refusal:
        world.score(path.name)
    assert refusal.value.where == path.name


def test_json_lines_may_leave_out_what_may_be_missing_but_not_misspell_it(world):
    rows = [{name: value for name, value in row.items() if name != "city"} for row in loans(5)]
    world.jsonl("a.jsonl", rows)
    assert world.score("a.jsonl").rows == 5
    world.jsonl("b.jsonl", [{**row, "citty": "Bern"} for row in rows])
    with pytest.raises(InvalidInput, match="no column 'city'; did you mean 'citty'"):
        world.score("b.jsonl")


def test_what_is_carried_along(world):
    rows = [{**row, "id": at, "note": f"n{at}", "score": 1} for at, row in enumerate(loans(4))]
    pq.write_table(pa.Table.from_pylist(rows), world.home / "a.parquet")
    world.csv("a.csv", rows)
    typed = predictions(world.score("a.parquet", world.home / "typed", keep=("id", "note", "age")))
    text = predictions(world.score("a.csv", world.home / "text", keep=("id",)))
    assert [(row["id"], row["note"], row["age"]) for row in typed] == [(r["id"], r["note"], r["age"]) for r in rows]
    assert [row["id"] for row in text] == ["0", "1", "2", "3"]
    assert "case" not in predictions(world.score("a.csv", world.home / "none", keep=()))[0]
    with pytest.raises(InvalidInput, match="output has a column of that name"):
        world.score("a.csv", world.home / "taken", keep=("score",))
    with pytest.raises(InvalidInput, match="no column 'nots'; did you mean 'note'"):
        world.score("a.csv", world.home / "unknown", keep=("nots",))


@BOTH
def test_wherever_it_ends_it_goes_on_with_no_row_lost_or_doubled(world, form):
    (world.home / "in").mkdir()
    rows = loans(330)
    for at in range(0, 330, 29):
        rows[at]["age"] = "?"
    world.csv("in/a.csv", rows[:100])
    world.jsonl("in/b.jsonl", rows[100:200])
    world.parquet("in/c.parquet", [{**row, "age": None} if row["age"] == "?" else row for row in rows[200:]], 40)
    chance, ends, asked = random.Random(5), 0, {"format": form, "commit_rows": 8, "max_bad_share": 0.5}
    while True:
        left = chance.randint(1, 8)

        def kill(done, total=None, note=""):
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        try:
            scored = world.score("in", world.home / "out", kill, **asked)
        except Killed:
            ends += 1
        else:
            break
    assert ends > 5
    assert scored.before > 0
    places = [("in/a.csv", 100), ("in/b.jsonl", 100), ("in/c.parquet", 130)]
    every = [(file, row) for file, count in places for row in range(1, count + 1)]
    bad = [(row["portion"], row["row"]) for row in bad_rows(scored)]
    good = [(row["file"], row["row"]) for row in predictions(scored)]
    assert bad == [every[at] for at in range(0, 330, 29)]
    assert sorted(bad + good) == every
    assert (scored.rows, scored.bad) == (len(good), len(bad))
    expected = dict(zip(every, scores(330), strict=True))
    assert close([row["score"] for row in predictions(scored)], [expected[place] for place in good])


def test_nothing_to_score_is_scored(world):
    world.csv("a.csv", loans(1))
    header = (world.home / "a.csv").read_text().splitlines()[0]
    (world.home / "a.csv").write_text(header + "\n")
    scored = world.score("a.csv")
    assert (scored.rows, scored.bad) == (0, 0)
    assert Table(scored.output).read().column_names == ["case", "score", "decision", "release", "file", "row"]
    assert world.score("a.csv").rows == 0


def test_one_at_a_time(world):
    world.csv("a.csv", loans(3))

    def second(done, total=None, note=""):
        with pytest.raises(Transient, match="works on"):
            world.score("a.csv")

    assert world.score("a.csv", progress=second).rows == 3


def test_a_file_that_changes_while_it_is_read_is_not_finished(world):
    path = world.csv("a.csv", loans(30))

    def write(done, total=None, note=""):
        path.write_bytes(path.read_bytes() + b"x\n")

    with pytest.raises(Transient, match="changed while"):
        world.score("a.csv", progress=write, commit_rows=2)
    with pytest.raises(Refused, match="has changed"):
        world.score("a.csv")


def test_damage_in_a_file_leaves_what_was_scored_before(world):
    path = world.parquet("a.parquet", loans(100), group=10)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidInput, match="Parquet"):
        world.score("a.parquet")
    (world.home / "b.dat").write_text("a,b\n")
    with pytest.raises(InvalidInput, match="does not tell its format"):
        world.score("b.dat")


def test_a_model_that_is_code_scores_in_its_own_processes(world):
    world.use(good_code(processes=2))
    world.parquet("a.parquet", loans(1500))
    rows = draw_known(1500)
    expected = 1 / (1 + np.exp(-(40 - rows[:, 0]) / 20 - (3000 - rows[:, 1]) / 2000))
    assert close([row["score"] for row in predictions(world.score("a.parquet"))], expected.tolist())


def test_only_the_row_that_the_code_fails_on_is_bad(world):
    world.use(bad_code())
    rows = loans(200)
    rows[77]["age"] = int(FAILS)
    world.parquet("a.parquet", rows)
    scored = world.score("a.parquet")
    assert [(row["row"], row["reasons"]) for row in bad_rows(scored)] == [(78, ["the model has no score for this row"])]


def test_a_model_that_answers_otherwise_than_when_it_was_validated_scores_nothing(world):
    content = logistic_model()
    rows = golden_rows(content.signature, content.reference)
    wrong = Golden(rows, np.full(len(rows), 0.5))
    ref = world.maker.release(again(content), golden=wrong).ref
    world.release = verify_release(world.catalog.folder(ref), world.maker.actors, expected=ref)
    world.csv("a.csv", loans(3))
    with pytest.raises(Refused, match="golden rows"):
        world.score("a.csv")
    assert not Table(world.catalog.table_path("scores", "a")).exists()


def draw_known(count):
    """Packed rows as the code sees them, missing incomes as it takes them."""
    rows = draw(count)
    return np.where(np.isnan(rows), 3000.0, rows)


def test_classes_and_numbers_are_scored_with_their_outputs(world):
    """Also where a row has no score, and where a rule decides below a limit."""
    rows, packed = loans(40), draw(40)
    rows[7] = {**rows[7], "income-per-month": 1e10}
    world.parquet("loans.parquet", rows)
    known = [at for at in range(40) if at != 7]
    world.use(classes_model())
    done = world.score("loans.parquet", to=world.home / "classes", max_bad_share=0.1)
    assert (done.rows, done.bad) == (39, 1)
    table = Table(done.output).read().sort_by("row")
    assert table.schema.names == ["case", "score", "decision", "class", "release", "file", "row"]
    assert table["class"].to_pylist() == [CLASSES[int(expected_classes(packed[at]).argmax())] for at in known]
    world.use(number_model(DecisionRule("limit", 380.0, below=True)))
    done = world.score("loans.parquet", to=world.home / "numbers", max_bad_share=0.1, format="parquet")
    table = ds.dataset(done.output).to_table().sort_by("row")
    estimates = np.array([expected_number(packed[at]) for at in known])
    for name, wanted in (("score", estimates), ("low", estimates - 10), ("high", estimates + 20)):
        assert table[name].to_numpy() == pytest.approx(wanted)
    assert table["decision"].to_pylist() == (estimates <= 380.0).tolist()
    assert 0 < sum(table["decision"].to_pylist()) < 39


def test_a_column_called_like_an_output_cannot_be_carried_along(world):
    world.parquet("loans.parquet", [{**row, "low": 1.0} for row in loans(3)])
    world.score("loans.parquet", to=world.home / "one", keep=("low",))
    world.use(number_model())
    with pytest.raises(InvalidInput, match="'low' cannot be carried along"):
        world.score("loans.parquet", to=world.home / "two", keep=("low",))
