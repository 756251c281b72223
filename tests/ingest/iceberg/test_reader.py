"""The kind ``iceberg``: real tables, and what snapshots may do to them."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import (
    BinaryType,
    DateType,
    DecimalType,
    DoubleType,
    FixedType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    TimeType,
    UUIDType,
)
from tests.ingest.iceberg.conftest import Lake, source, take, words

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.sources.lakes import IcebergSource
from drivetrain.ingest.fingerprint import fingerprint
from drivetrain.ingest.reading import open_reader
from drivetrain.store.files.batches import Change
from drivetrain.testing.readers import ReaderContract

KEYED = {"key": ["id"]}


class TestIceberg(ReaderContract):
    @pytest.fixture(autouse=True)
    def _closed(self):
        yield
        self.lake.close()

    def make(self, home, rows):
        self.lake = Lake(home)
        self.lake.make().append(self._table(rows))
        return source()

    def add(self, home, rows):
        self.lake.table.append(self._table(rows))
        return source()

    def remove(self, home):
        shutil.rmtree(home / "lake")

    def _table(self, rows):
        return pa.table({"id": pa.array([n for n, _ in rows], pa.int64()), "word": [word for _, word in rows]})


def test_later_loads_read_only_the_files_that_were_added(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    (first,) = (tmp_path / "lake/sales/words/data").glob("*.parquet")
    for number in (4, 5):
        lake.table.append(words(number))
    first.unlink()
    ids, change, cursor = take(tmp_path, source(), cursor)
    assert (ids, change) == ([4, 5], Change.ADD)
    assert take(tmp_path, source(), cursor) == ([], None, cursor)


def test_compaction_adds_nothing_and_hides_nothing(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    lake.compact()
    lake.table.append(words(4))
    lake.table.append(words(5))
    lake.compact()
    ids, change, after = take(tmp_path, source(), cursor)
    assert (ids, change) == ([4, 5], Change.ADD)
    lake.compact()
    ids, change, last = take(tmp_path, source(), after)
    assert (ids, change) == ([], None)
    assert sorted(take(tmp_path, source())[0]) == [1, 2, 3, 4, 5]
    lake.table.append(words(6))
    assert take(tmp_path, source(), last)[0] == [6]


REWRITES = {
    "delete": lambda lake: lake.table.delete("id = 2"),
    "overwrite": lambda lake: lake.table.overwrite(words(7, 8)),
    "upsert": lambda lake: lake.table.upsert(
        pa.table({"id": [3, 4], "word": ["three", "four"]}), join_cols=["id"]
    ),
    "rollback": lambda lake: (lake.table.append(words(4)), lake.table.manage_snapshots().rollback_to_snapshot(
        lake.table.metadata.snapshots[0].snapshot_id
    ).commit()),
    "by place": lambda lake: lake.delete_at(lake.data_files()[0], 1),
    "by value": lambda lake: lake.delete_equal(pa.table({"id": [2]}), [1]),
}  # fmt: skip


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_rewritten_table_is_read_whole_or_refused(lake, tmp_path, rewrite):
    if rewrite == "rollback":
        lake.table.append(words(9))
    cursor = take(tmp_path, source())[2]
    REWRITES[rewrite](lake)
    expected = [1, 3] if rewrite == "by value" else sorted(lake.table.scan().to_arrow()["id"].to_pylist())
    with pytest.raises(Refused, match="snapshot") as caught:
        take(tmp_path, source(), cursor)
    assert caught.value.code == "iceberg_rewritten"
    assert "`key`" in caught.value.hint
    ids, change, after = take(tmp_path, source(contract=KEYED), cursor)
    assert (sorted(ids), change) == (expected, Change.WHOLE)
    assert take(tmp_path, source(contract=KEYED), after) == ([], None, after)


def test_an_overwrite_that_takes_nothing_away_adds(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    with pytest.warns(UserWarning, match="did not match"):
        lake.table.overwrite(words(4), overwrite_filter="id = 99")
    assert take(tmp_path, source(), cursor)[:2] == ([4], Change.ADD)


def test_the_dataset_follows_a_table_that_is_rewritten(lake, project):
    spec = source(contract=KEYED)
    project.ingest(spec, "words")
    lake.table.append(words(4))
    assert project.ingest(spec, "words").rows == 4
    lake.table.delete("id = 2")
    lake.table.upsert(pa.table({"id": [3], "word": ["three"]}), join_cols=["id"])
    dataset = project.ingest(spec, "words")
    assert sorted((row["id"], row["word"]) for row in project.rows("words")) == [(1, "w1"), (3, "three"), (4, "w4")]
    assert project.ingest(spec, "words") == dataset


def test_a_table_that_was_emptied(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    lake.table.delete("id > 0")
    with pytest.raises(Refused, match="no row any more"):
        take(tmp_path, source(contract=KEYED), cursor)


def test_a_table_that_was_dropped_and_made_anew(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    lake.catalog.drop_table("sales.words")
    shutil.rmtree(tmp_path / "lake/sales/words")
    lake.make().append(words(1, 2, 3, 4))
    with pytest.raises(Refused, match="made anew"):
        take(tmp_path, source(), cursor)
    assert take(tmp_path, source(contract=KEYED), cursor)[:2] == ([1, 2, 3, 4], Change.WHOLE)


def test_a_table_to_which_nothing_was_written_yet(tmp_path):
    lake = Lake(tmp_path)
    lake.make()
    assert take(tmp_path, source()) == ([], None, "")
    lake.table.append(words(1))
    assert take(tmp_path, source())[:2] == ([1], Change.ADD)
    lake.close()


def test_snapshots_that_expired(lake, tmp_path):
    old = take(tmp_path, source())[2]
    lake.table.append(words(4))
    newer = take(tmp_path, source())[2]
    lake.table.append(words(5))
    first, _, _ = (snapshot.snapshot_id for snapshot in lake.table.metadata.snapshots)
    metadata = Path(lake.table.metadata_location.removeprefix("file://"))
    told = json.loads(metadata.read_text())
    told["snapshots"], told["snapshot-log"] = told["snapshots"][2:], told["snapshot-log"][2:]  # as Spark expires them
    metadata.with_name("00009-expired.metadata.json").write_text(json.dumps(told))
    assert take(tmp_path, source(), newer)[:2] == ([5], Change.ADD), "what came after it is still known"
    with pytest.raises(Refused, match=f"snapshot {first}, .* expired"):
        take(tmp_path, source(), old)
    assert take(tmp_path, source(contract=KEYED), old)[:2] == ([1, 2, 3, 4, 5], Change.WHOLE)
    with pytest.raises(NotFound) as caught:
        take(tmp_path, source(snapshot=first))
    assert caught.value.code == "iceberg_snapshot_unknown"
    assert "there are: " in caught.value.hint


def test_a_file_that_was_cleaned_up(lake, tmp_path):
    for file in (tmp_path / "lake/sales/words/data").glob("*.parquet"):
        file.unlink()
    with pytest.raises(NotFound, match="gone") as caught:
        take(tmp_path, source())
    assert caught.value.code == "iceberg_expired"


def test_a_snapshot_a_moment_or_a_branch_of_ones_choice(lake, tmp_path):
    for number in (4, 5):
        lake.table.append(words(number))
    _, second, third = lake.table.metadata.snapshots
    ids, _, cursor = take(tmp_path, source(snapshot=second.snapshot_id))
    assert ids == [1, 2, 3, 4]
    lake.table.append(words(6))
    assert take(tmp_path, source(snapshot=second.snapshot_id), cursor) == ([], None, cursor)
    assert take(tmp_path, source(snapshot=third.snapshot_id), cursor)[0] == [5]
    then = datetime.fromtimestamp(third.timestamp_ms / 1000, UTC)
    assert take(tmp_path, source(as_of=then))[0] == [1, 2, 3, 4, 5]
    assert take(tmp_path, source(as_of=then - timedelta(milliseconds=1)))[0] == [1, 2, 3, 4]
    with pytest.raises(NotFound, match="as of 2000"):
        take(tmp_path, source(as_of="2000-01-01T00:00:00Z"))
    lake.table.manage_snapshots().create_tag(second.snapshot_id, "audited").commit()
    assert take(tmp_path, source(branch="audited"))[0] == [1, 2, 3, 4]
    with pytest.raises(NotFound, match="no branch 'aduited'"):
        take(tmp_path, source(branch="aduited"))


def test_columns_are_the_same_by_their_ids(lake, tmp_path, project):
    project.ingest(source(), "words")
    with lake.table.update_schema() as update:
        update.rename_column("word", "term").add_column("more", DoubleType())
    table = pa.table({"id": [4], "term": ["w4"], "more": [1.5]})
    lake.table.append(table)
    with pytest.raises(Refused, match=r"term text\n  . more number"):
        project.ingest(source(), "words")
    batches = [item for item in open_reader(source(), Place(tmp_path, tmp_path)).read("") if hasattr(item, "rows")]
    rows = [row for batch in batches for row in batch.rows.to_pylist()]
    assert rows == [
        *({"id": n, "term": f"w{n}", "more": None} for n in (1, 2, 3)),
        {"id": 4, "term": "w4", "more": 1.5},
    ]
    with lake.table.update_schema() as update:
        update.delete_column("more")
    with lake.table.update_schema() as update:
        update.add_column("more", StringType())
    assert _rows(tmp_path)[3] == {"id": 4, "term": "w4", "more": None}, "a column of the same name is another one"
    first = lake.table.metadata.snapshots[0].snapshot_id
    assert _rows(tmp_path, snapshot=first)[0] == {"id": 1, "word": "w1"}, "a snapshot has the columns of its time"


def test_types_that_were_widened(tmp_path):
    lake = Lake(tmp_path)
    schema = Schema(NestedField(1, "id", IntegerType()), NestedField(2, "x", FloatType()))
    lake.make(schema).append(pa.table({"id": pa.array([1], pa.int32()), "x": pa.array([0.5], pa.float32())}))
    with lake.table.update_schema() as update:
        update.update_column("id", LongType()).update_column("x", DoubleType())
    lake.table.append(pa.table({"id": [1 << 40], "x": [0.1]}))
    assert _rows(tmp_path) == [{"id": 1, "x": 0.5}, {"id": 1 << 40, "x": 0.1}]
    lake.close()


def test_types_keep_their_values(tmp_path, project):
    schema = Schema(
        NestedField(1, "id", LongType()),
        NestedField(2, "price", DecimalType(9, 2)),
        NestedField(3, "day", DateType()),
        NestedField(4, "at", TimestamptzType()),
        NestedField(5, "local", TimestampType()),
        NestedField(6, "hour", TimeType()),
        NestedField(7, "who", UUIDType()),
        NestedField(8, "code", FixedType(2)),
        NestedField(9, "raw", BinaryType()),
        NestedField(10, "tags", ListType(11, StringType(), element_required=False)),
        NestedField(12, "made", StructType(NestedField(13, "by", StringType()), NestedField(14, "n", IntegerType()))),
        NestedField(15, "more", MapType(16, StringType(), 17, IntegerType())),
    )
    lake = Lake(tmp_path)
    at, who = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), UUID(int=7)
    row = {
        "id": 1, "price": Decimal("12.30"), "day": at.date(), "at": at, "local": at.replace(tzinfo=None),
        "hour": at.time(), "who": who.bytes, "code": b"ab", "raw": b"\0", "tags": ["a", None],
        "made": {"by": "me", "n": 2}, "more": [("k", 1)],
    }  # fmt: skip
    lake.make(schema).append(pa.Table.from_pylist([row], schema=lake.table.schema().as_arrow()))
    with lake.table.update_schema() as update:
        update.rename_column("made.by", "author")
    project.ingest(source(), "words")
    assert project.rows("words") == [
        {
            "id": 1, "price": 12.3, "day": at.date(), "at": at, "local": at, "hour": "03:04:05.000006", "who": str(who),
            "code": '"YWI="', "raw": '"AA=="', "tags": '["a",null]', "made": '{"author":"me","n":2}',
            "more": '[["k",1]]',
        }
    ]  # fmt: skip
    lake.close()


def test_partitions_are_no_matter_of_the_reader(tmp_path):
    lake = Lake(tmp_path)
    schema = Schema(
        NestedField(1, "id", LongType()), NestedField(2, "name", StringType()), NestedField(3, "at", TimestamptzType())
    )
    spec = PartitionSpec(
        PartitionField(2, 1000, IdentityTransform(), "name"), PartitionField(1, 1001, IdentityTransform(), "id")
    )
    at = datetime(2026, 1, 2, 3, tzinfo=UTC)
    names = ["a b/c:%2F=ü", None, "x"]
    lake.make(schema, spec).append(
        pa.table({"id": [1, 2, 3], "name": names, "at": pa.array([at, None, at], pa.timestamp("us", "UTC"))})
    )
    found = sorted(_rows(tmp_path), key=lambda row: row["id"])
    assert [row["name"] for row in found] == names
    assert [row["at"] for row in found] == [at, None, at]
    lake.close()


def test_a_large_file_is_not_held_in_memory(tmp_path):
    schema = Schema(NestedField(1, "id", LongType()), *(NestedField(n, f"x{n}", DoubleType()) for n in range(2, 6)))
    lake = Lake(tmp_path)
    chance = np.random.default_rng(1)
    rows = pa.table({"id": np.arange(800_000), **{f"x{n}": chance.random(800_000) for n in range(2, 6)}})
    lake.make(schema, **{"write.parquet.row-group-limit": "50000"}).append(rows)
    size = rows.nbytes
    del rows
    before, most = pa.total_allocated_bytes(), 0
    for _ in open_reader(source(), Place(tmp_path, tmp_path)).read(""):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < size / 3
    lake.close()


def test_a_file_that_is_damaged(lake, tmp_path):
    (path,) = (tmp_path / "lake/sales/words/data").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20] + b"\0" * 20)
    with pytest.raises(InvalidInput) as caught:
        take(tmp_path, source())
    assert caught.value.code == "iceberg_damaged"


def test_rows_that_are_added_while_it_is_read_are_read_next_time(lake, tmp_path):
    reading = open_reader(source(), Place(tmp_path, tmp_path)).read("")
    first = next(reading)
    lake.table.append(words(4))
    (position,) = list(reading)
    assert first.rows.num_rows == 3
    assert take(tmp_path, source(), position.cursor)[0] == [4]


def test_the_plan_knows_without_reading_that_nothing_is_new(lake, tmp_path):
    before = fingerprint(source(), tmp_path)
    assert fingerprint(source(), tmp_path) == before
    lake.table.append(words(4))
    assert fingerprint(source(), tmp_path) != before


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"path": "https://x/y"}, "read"),
        ({}, "`path`, or `table`"),
        ({"path": "x", "table": "a.b"}, "`path`, or `table`"),
        ({"table": "a.b"}, "belong together"),
        ({"table": "words", "catalog": {"kind": "rest", "url": "https://x"}}, "pattern"),
        ({"path": "x", "snapshot": 1, "as_of": "2026-01-01T00:00:00Z"}, "one of them"),
        ({"path": "x", "as_of": "2026-01-01"}, "timezone"),
        ({"path": "x", "branch": "b", "as_of": "2026-01-01T00:00:00Z"}, "`as_of` reads `main`"),
        ({"table": "a.b", "catalog": {"kind": "sql", "url": "postgresql://u:p@h/d"}}, "password"),
    ],
)
def test_options_that_do_not_fit(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        IcebergSource(kind="iceberg", **options)


def _rows(home, **options):
    items = open_reader(source(**options), Place(home, home)).read("")
    return [row for item in items if hasattr(item, "rows") for row in item.rows.to_pylist()]
