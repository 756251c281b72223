"""From the journal to the lake: typed, once, and whatever goes wrong on the way."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.core.errors import Tampered
from drivetrain.core.model import InputField, Signature
from drivetrain.core.refs import Kind, Ref
from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task
from drivetrain.ops.packing import pack
from drivetrain.store.catalog import Catalog
from drivetrain.store.compaction import Compaction
from drivetrain.store.journal import UNKNOWN_TEXT, output_columns, roll, unpack
from drivetrain.store.segments import LabelLog, LabelRecord, PredictionLog, waiting_bytes
from drivetrain.store.tables import Table

RELEASE = Ref(Kind.RELEASE, "risk", "0123456789ab")
ALL = Signature(
    (
        InputField("age", ColumnType.INTEGER, False),
        InputField("income", ColumnType.NUMBER, True),
        InputField("member", ColumnType.BOOLEAN, True),
        InputField("city", ColumnType.TEXT, True, categories=("Aarau", "Bern")),
        InputField("born", ColumnType.DATE, True),
        InputField("seen", ColumnType.TIMESTAMP, True),
    ),
    "id",
    "bad",
)
ROW = [41.0, 1.5, 1.0, 1.0, 86400.0, 1.25]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as opened:
        yield opened


def write(log: PredictionLog, first: int, count: int, row: list[float]) -> None:
    rows = np.zeros(count, log.dtype)
    rows["id"] = [b"p%06d" % number for number in range(first, first + count)]
    rows["at"] = 1_700_000_000_000_000 + np.arange(first, first + count)
    rows["score"] = 0.25
    rows["caller"] = log.caller("ann")
    rows["entity"] = [b"e7"] + [b""] * (count - 1)
    rows["row"] = row
    log.append(rows)


def predictions(catalog: Catalog) -> pa.Table:
    return Table(catalog.table_path("predictions", "risk")).read().sort_by("prediction_id")


def ids(catalog: Catalog) -> list[str]:
    return predictions(catalog).column("prediction_id").to_pylist()


def names(count: int) -> list[str]:
    return [f"p{number:06d}" for number in range(count)]


def test_predictions_arrive_typed(catalog: Catalog) -> None:
    log = PredictionLog(catalog.journal_path("risk"), RELEASE, ALL)
    write(log, 0, 1, ROW)
    write(log, 1, 1, [41.0, *[float("nan")] * 5])
    write(log, 2, 1, [*ROW[:3], -1.0, *ROW[4:]])
    log.close()
    assert roll(catalog, "risk") == 3
    first, missing, unknown = predictions(catalog).to_pylist()
    assert first == {
        "number": 1,
        "prediction_id": "p000000",
        "at": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        "release": str(RELEASE),
        "caller": "ann",
        "entity": "e7",
        "score": 0.25,
        "decision": False,
        "inputs": {
            "age": 41, "income": 1.5, "member": True, "city": "Bern", "born": date(1970, 1, 2),
            "seen": datetime(1970, 1, 1, 0, 0, 1, 250000, tzinfo=UTC),
        },
    }  # fmt: skip
    nulls = {"income": None, "member": None, "city": None, "born": None, "seen": None}
    assert missing["inputs"] == {"age": 41, **nulls}
    assert unknown["inputs"]["city"] == UNKNOWN_TEXT


def test_predictions_are_numbered_in_the_order_in_which_they_come(catalog: Catalog) -> None:
    """Also over merged files, and over an input whose type a release changed."""
    table = Table(catalog.table_path("predictions", "risk"))
    for first, row in ((0, ROW), (3, ROW), (6, [41.5, *ROW[1:]])):
        other = Signature((InputField("age", ColumnType.NUMBER, False), *ALL.inputs[1:]), "id", "bad")
        log = PredictionLog(catalog.journal_path("risk"), RELEASE, other if row is not ROW else ALL)
        write(log, first, 3, row)
        log.close()
        roll(catalog, "risk")
        Compaction([table]).wait()
    rows = table.read().sort_by("number")
    assert rows.column("number").to_pylist() == list(range(1, 10))
    assert rows.column("prediction_id").to_pylist() == names(9)
    assert table.state().commit.rows == 9


def test_labels_arrive(catalog: Catalog) -> None:
    log = LabelLog(catalog.journal_path("risk"))
    at = datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    log.append([LabelRecord("p1", True, at, "ann"), LabelRecord("p2", False, at, "bob")])
    assert roll(catalog, "risk") == 2
    assert roll(catalog, "risk") == 0
    assert Table(catalog.table_path("labels", "risk")).read().to_pylist() == [
        {"prediction_id": "p1", "label": True, "at": at, "caller": "ann"},
        {"prediction_id": "p2", "label": False, "at": at, "caller": "bob"},
    ]
    log.close()


def test_rolling_goes_on_where_it_stopped(catalog: Catalog) -> None:
    log = PredictionLog(catalog.journal_path("risk"), RELEASE, ALL, size=4000)
    moved = []
    for number in range(0, 60, 3):
        write(log, number, 3, ROW)
        moved.append(roll(catalog, "risk"))
    log.close()
    assert moved == [3] * 20
    assert ids(catalog) == names(60)
    state = Table(catalog.table_path("predictions", "risk")).state()
    assert state is not None
    assert state.commit.rows == 60


def test_done_segments_are_deleted_and_nothing_is_rolled_from_an_empty_journal(catalog: Catalog) -> None:
    assert roll(catalog, "risk") == 0
    log = PredictionLog(catalog.journal_path("risk"), RELEASE, ALL)
    write(log, 0, 2, ROW)
    roll(catalog, "risk")
    assert len(list(catalog.journal_path("risk").glob("predictions-*"))) == 1
    log.close()
    assert roll(catalog, "risk") == 0
    assert list(catalog.journal_path("risk").glob("predictions-*")) == []


@pytest.mark.parametrize("after", [False, True], ids=["before-commit", "after-commit"])
def test_a_roll_that_dies_loses_and_doubles_nothing(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    log = PredictionLog(catalog.journal_path("risk"), RELEASE, ALL, size=3000)
    write(log, 0, 3, ROW)
    roll(catalog, "risk")
    for number in range(3, 30, 3):
        write(log, number, 3, ROW)
    log.close()
    extend = Table.extend

    def dying(self: Table, *args: object, **options: object) -> int:
        if after:
            extend(self, *args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Table, "extend", dying)
    with pytest.raises(KeyboardInterrupt):
        roll(catalog, "risk")
    monkeypatch.undo()
    roll(catalog, "risk")
    assert ids(catalog) == names(30)
    assert list(catalog.journal_path("risk").glob("predictions-*")) == []


def test_rollers_at_the_same_time_do_not_double(catalog: Catalog) -> None:
    log = PredictionLog(catalog.journal_path("risk"), RELEASE, ALL, size=5000)
    for number in range(0, 100, 5):
        write(log, number, 5, ROW)
    log.close()
    code = "import sys; from pathlib import Path; from drivetrain.store.catalog import Catalog; "
    code += "from drivetrain.store.journal import roll; print(roll(Catalog(Path(sys.argv[1])), 'risk'))"
    command = [sys.executable, "-c", code, str(catalog.home)]
    rollers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    moved = [int(roller.communicate(timeout=60)[0]) for roller in rollers]
    assert sum(moved) == 100
    assert ids(catalog) == names(100)


def test_a_header_that_was_never_whole_is_cleared_away(catalog: Catalog) -> None:
    folder = catalog.journal_path("risk")
    folder.mkdir(parents=True)
    (folder / "predictions-1").write_bytes(b'{"kin')
    assert roll(catalog, "risk") == 0
    assert not (folder / "predictions-1").exists()


def test_a_damaged_segment_is_told_and_does_not_hold_up_the_others(catalog: Catalog) -> None:
    folder = catalog.journal_path("risk")
    log = PredictionLog(folder, RELEASE, ALL)
    write(log, 0, 2, ROW)
    log.close()
    (folder / "predictions-0").write_bytes(b"JFIF\n")
    (folder / "labels-0").write_bytes(b'{"kind":"labels"}\nJFIF\n')
    with pytest.raises(Tampered, match="not a header") as caught:
        roll(catalog, "risk")
    assert caught.value.where == str(folder / "predictions-0")
    assert ids(catalog) == names(2)
    (folder / "predictions-0").unlink()
    with pytest.raises(Tampered, match="not a label"):
        roll(catalog, "risk")
    assert (folder / "labels-0").exists()


def test_what_waits_is_known_without_asking_the_lake(catalog: Catalog) -> None:
    folder = catalog.journal_path("risk")
    assert waiting_bytes(folder) == 0
    log, labels = PredictionLog(folder, RELEASE, ALL), LabelLog(folder)
    write(log, 0, 2, ROW)
    labels.append([LabelRecord("p1", True, datetime(2026, 1, 1, tzinfo=UTC), "ann")])
    assert waiting_bytes(folder) > 2 * log.dtype.itemsize
    roll(catalog, "risk")
    assert waiting_bytes(folder) == 0
    write(log, 2, 3, ROW)
    assert waiting_bytes(folder) == 3 * log.dtype.itemsize
    log.close()
    labels.close()


def test_inputs_of_another_release_are_added_and_widened(catalog: Catalog) -> None:
    def rolled(first: int, row: list[float], *fields: InputField) -> None:
        log = PredictionLog(catalog.journal_path("risk"), RELEASE, Signature(fields, "id", "bad"))
        write(log, first, 1, row)
        log.close()
        roll(catalog, "risk")

    x = InputField("x", ColumnType.INTEGER, True)
    rolled(0, [1.0, 5.0], x, InputField("y", ColumnType.INTEGER, True))
    rolled(1, [2.0], x)
    rolled(2, [0.0, 1.0], InputField("z", ColumnType.TEXT, True, ("a",)), x)
    rolled(3, [1.5, 0.0], InputField("x", ColumnType.NUMBER, True), InputField("y", ColumnType.TEXT, True, ("b",)))
    rolled(4, [3.0], x)
    assert predictions(catalog).column("inputs").to_pylist() == [
        {"x": 1.0, "y": "5", "z": None},
        {"x": 2.0, "y": None, "z": None},
        {"x": 1.0, "y": None, "z": "a"},
        {"x": 1.5, "y": "b", "z": None},
        {"x": 3.0, "y": None, "z": None},
    ]
    assert ids(catalog) == names(5)


def test_labels_of_another_task_are_widened_to_text(catalog: Catalog) -> None:
    """Also where the task changed between two labels of one segment."""
    at = datetime(2026, 2, 3, tzinfo=UTC)

    def told(*labels: bool | str | float) -> list[bool | str | float]:
        log = LabelLog(catalog.journal_path("risk"))
        log.append([LabelRecord("p1", label, at, "ann") for label in labels])
        log.close()
        roll(catalog, "risk")
        table = Table(catalog.table_path("labels", "risk"))
        assert table.state().commit.rows == len(table.read())
        return sorted(table.read().column("label").to_pylist(), key=str)

    assert told(2, 1.5) == [1.5, 2.0]
    assert told("loan", True) == ["1.5", "2", "loan", "true"]
    assert told(False) == ["1.5", "2", "false", "loan", "true"]


def test_outputs_have_columns_that_older_rows_lack(catalog: Catalog) -> None:
    def rolled(first: int, signature: Signature, *outputs: float) -> None:
        log = PredictionLog(catalog.journal_path("risk"), RELEASE, signature)
        row = np.zeros(1, log.dtype)
        row["id"], row["caller"], row["row"] = b"p%06d" % first, log.caller("ann"), ROW
        if outputs:
            row["outputs"] = outputs
        log.append(row)
        log.append_one(
            b"p%06d" % (first + 1), 5, (0.5, True), 0, b"", row["row"].tobytes() + np.array(outputs).tobytes()
        )
        log.close()
        roll(catalog, "risk")

    rolled(0, ALL)
    rolled(2, replace(ALL, task=Task.CLASSES, classes=("card", "loan")), 1.0)
    rolled(4, replace(ALL, task=Task.NUMBER), -2.5, 7.0)
    rolled(6, ALL)
    found = predictions(catalog)
    assert found.column("class").to_pylist() == [None, None, "loan", "loan", None, None, None, None]
    assert found.column("low").to_pylist() == [None] * 4 + [-2.5, -2.5, None, None]
    assert found.column("high").to_pylist() == [None] * 4 + [7.0, 7.0, None, None]
    assert output_columns(found.schema) == ["class", "low", "high"]
    assert found.column("inputs").null_count == 0


def test_compacting_keeps_rows_and_cursor(catalog: Catalog) -> None:
    log = PredictionLog(catalog.journal_path("risk"), RELEASE, ALL)
    for number in range(5):
        write(log, number, 1, ROW)
        roll(catalog, "risk")
    table = Table(catalog.table_path("predictions", "risk"))
    before = table.state()
    table.compact()
    after = table.state()
    assert before is not None
    assert after is not None
    assert after.commit == before.commit
    assert roll(catalog, "risk") == 0
    assert ids(catalog) == names(5)
    assert len(table.dataset().files) == 1
    log.close()


optional = st.none()
# Seconds as float64 tell microseconds apart up to 2^32 s from 1970: from 1833 to 2106.
micros = st.datetimes(datetime(1834, 1, 1), datetime(2106, 1, 1))
inputs = st.fixed_dictionaries(
    {
        "age": st.integers(-(2**53), 2**53),
        "income": optional | st.floats(allow_nan=False, allow_infinity=False),
        "member": optional | st.booleans(),
        "city": optional | st.sampled_from(["Aarau", "Bern", UNKNOWN_TEXT]),
        "born": optional | st.dates(date(1700, 1, 1), date(2200, 1, 1)),
        "seen": optional | micros.map(lambda moment: moment.replace(tzinfo=UTC)),
    }
)
SCHEMA = pa.schema(
    {
        "age": pa.int64(), "income": pa.float64(), "member": pa.bool_(), "city": pa.string(), "born": pa.date32(),
        "seen": pa.timestamp("us", tz="UTC"),
    }
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(inputs, min_size=1, max_size=5))
def test_unpacking_is_the_reverse_of_packing(rows: list[dict[str, object]]) -> None:
    assert unpack(ALL, pack(ALL, pa.Table.from_pylist(rows, SCHEMA))).to_pylist() == rows
