"""Outputs: what stands there decides how a job goes on, and nothing of somebody else's is ever replaced."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from tests.deliver.conftest import bad_rows, close, loans, predictions, scores

from drivetrain.core.errors import InvalidInput, Refused
from drivetrain.deliver.outputs import Cursor, open_output
from drivetrain.store.quarantine import SCHEMA, Quarantine
from drivetrain.store.tables import Commit, Table
from drivetrain.testing.graphs import again, flipped

BOTH = pytest.mark.parametrize("form", ["delta", "parquet"])


class Killed(BaseException):
    """The process ends here."""


@BOTH
def test_bad_rows_whose_step_a_kill_prevented_are_not_doubled(world, form):
    rows = loans(6)
    rows[4]["age"] = None
    world.csv("a.csv", rows)
    out = world.home / "out"

    def kill(done, total=None, note=""):
        if note.startswith("6 rows"):
            raise Killed

    with pytest.raises(Killed):
        world.score("a.csv", out, kill, commit_rows=2, format=form)
    output = open_output(out, form)
    assert output.cursor().rows == 4
    unfinished = pa.Table.from_pylist([{"load": "x", "portion": "a.csv", "row": 5, "reasons": []}], schema=SCHEMA)
    output.quarantine.mkdir()
    (output.quarantine / f".drivetrain-score-{form}").write_bytes(b"")
    if form == "delta":
        Quarantine(Table(output.quarantine), output._pin).add(unfinished.to_reader(), 1, "x")
    else:
        pq.write_table(unfinished, output.quarantine / "rows-000000000004.parquet")
    scored = world.score("a.csv", out, max_bad_share=1, format=form)
    assert [(row["row"], row["reasons"]) for row in bad_rows(scored)] == [(5, ["age is missing"])]
    assert [row["row"] for row in predictions(scored)] == [1, 2, 3, 4, 6]


@BOTH
def test_the_same_again_is_complete_and_anything_else_is_refused(world, form):
    world.csv("a.csv", loans(20))
    out = world.home / "out"
    first = world.score("a.csv", out, format=form)
    second = world.score("a.csv", out, format=form)
    assert (second.rows, second.before) == (20, 20)
    assert predictions(second) == predictions(first)

    with pytest.raises(Refused, match="other columns were kept") as refusal:
        world.score("a.csv", out, format=form, keep=("age",))
    assert "--again" in refusal.value.hint
    os.utime(world.home / "a.csv", (1, 1))
    assert world.score("a.csv", out, format=form).before == 20  # the content counts, not the time

    world.csv("a.csv", loans(21))
    world.use(again(flipped()))
    with pytest.raises(Refused, match=f"the release was {first.release}; the input was another, or has changed"):
        world.score("a.csv", out, format=form)
    third = world.score("a.csv", out, format=form, again=True)
    assert (third.rows, third.before) == (21, 0)
    assert close([row["score"] for row in predictions(third)], [1 - score for score in scores(21)])


@BOTH
def test_again_replaces_bad_rows_too(world, form):
    world.csv("a.csv", [{**row, "age": "?"} for row in loans(3)])
    out = world.home / "out"
    assert world.score("a.csv", out, format=form, max_bad_share=1).bad == 3
    world.csv("a.csv", loans(3))
    scored = world.score("a.csv", out, format=form, again=True)
    assert (scored.rows, scored.bad, scored.quarantine) == (3, 0, None)
    left = out.with_name("out-quarantine")
    assert Table(left).read().num_rows == 0 if form == "delta" else not list(left.glob("rows-*"))


def test_what_somebody_else_wrote_is_never_touched(world):
    world.csv("a.csv", loans(3))
    other = pa.table({"x": [1]})
    write_deltalake(world.home / "theirs", other)
    Table(world.home / "ours").append(other, Commit("not a cursor", "", 1))
    (world.home / "notes").mkdir()
    (world.home / "notes" / "n.txt").write_text("mine")
    (world.home / "file").write_text("mine")
    (world.home / "files").mkdir()
    pq.write_table(other, world.home / "files" / "rows-000000000000.parquet")
    (world.home / "new-quarantine").mkdir()
    (world.home / "new-quarantine" / "n.txt").write_text("mine")
    for place in ("theirs", "ours", "notes", "file", "files", "new"):
        for form in ("delta", "parquet"):
            for replace in (False, True):
                with pytest.raises(Refused, match="did not write"):
                    world.score("a.csv", world.home / place, format=form, again=replace)
    assert Table(world.home / "theirs").read().num_rows == 1
    world.score("a.csv", world.home / "table", format="delta")
    with pytest.raises(Refused, match="in another format"):
        world.score("a.csv", world.home / "table", format="parquet", again=True)


@BOTH
def test_what_a_kill_leaves_of_the_very_first_step_is_known_as_ours(world, form):
    rows = loans(3)
    rows[0]["age"] = None
    world.csv("a.csv", rows)
    for name in ("out", "out-quarantine"):
        (world.home / name).mkdir()
        for left in (f".drivetrain-score-{form}", ".new-x", *(("part-0.parquet",) if form == "delta" else ())):
            (world.home / name / left).write_bytes(b"")
    scored = world.score("a.csv", world.home / "out", format=form, max_bad_share=1)
    assert (len(predictions(scored)), len(bad_rows(scored))) == (2, 1)
    assert form == "delta" or not list((world.home / "out").glob(".new-*"))


def test_a_parquet_output_with_a_gap_is_refused_until_it_is_made_anew(world):
    world.csv("a.csv", loans(20))
    out = world.home / "out"
    world.score("a.csv", out, format="parquet", commit_rows=5)
    (out / "rows-000000000005.parquet").unlink()
    with pytest.raises(Refused, match="missing"):
        world.score("a.csv", out, format="parquet")
    assert world.score("a.csv", out, format="parquet", again=True).rows == 20


@BOTH
def test_what_is_there_stays_until_there_is_something_to_replace_it(world, form):
    world.csv("a.csv", loans(3))
    out = world.home / "out"
    before = predictions(world.score("a.csv", out, format=form))
    world.csv("a.csv", [{"age": 40}])
    with pytest.raises(InvalidInput, match="no column"):
        world.score("a.csv", out, format=form, again=True)
    world.csv("a.csv", loans(3))
    assert predictions(world.score("a.csv", out, format=form)) == before


def test_the_cursor_counts_both_kinds_of_rows():
    assert Cursor("r", "i", (), scored=3, bad=2).rows == 5
