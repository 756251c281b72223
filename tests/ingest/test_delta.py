"""The kind ``delta``: real tables, and what commits may do to them."""

import json
import shutil
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, write_deltalake
from deltalake.schema import PrimitiveType
from tests.servers.seaweedfs import KEY, SECRET, object_store

from drivetrain.access.secrets import KnownSecrets
from drivetrain.connect.place import Place
from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused, Transient
from drivetrain.core.sources.lakes import DeltaSource
from drivetrain.ingest.fingerprint import fingerprint
from drivetrain.ingest.reading import Batch, open_reader
from drivetrain.store.files.batches import Change
from drivetrain.testing.readers import ReaderContract

KEYED = {"key": ["id"]}


def words(*ids):
    return pa.table({"id": list(ids), "word": [f"w{number}" for number in ids]})


class TestDelta(ReaderContract):
    def make(self, home, rows):
        write_deltalake(home / "lake", pa.table({"id": [n for n, _ in rows], "word": [w for _, w in rows]}))
        return DeltaSource(kind="delta", path="lake")

    def add(self, home, rows):
        table = pa.table({"id": [n for n, _ in rows], "word": [w for _, w in rows]})
        write_deltalake(home / "lake", table, mode="append")
        return DeltaSource(kind="delta", path="lake")

    def remove(self, home):
        shutil.rmtree(home / "lake")


@pytest.fixture
def lake(tmp_path):
    """A table of one version."""
    write_deltalake(tmp_path / "lake", words(1, 2, 3))
    return tmp_path / "lake"


def source(**options):
    return DeltaSource(kind="delta", path="lake", **options)


def take(home, spec, cursor=""):
    """The ids, what they do, and the cursor behind them."""
    ids, changes = [], set()
    for item in open_reader(spec, Place(home, home / "cache")).read(cursor):
        if isinstance(item, Batch):
            ids += [int(value) for value in item.rows["id"].to_pylist()]
            changes.add(item.change)
        else:
            cursor = item.cursor
    return ids, (changes.pop() if changes else None), cursor


def test_later_loads_read_only_the_files_that_were_added(lake, tmp_path):
    _, _, cursor = take(tmp_path, source())
    for number in (4, 5):
        write_deltalake(lake, words(number), mode="append")
    (first,) = DeltaTable(lake, 0).file_uris()
    Path(first).unlink()
    ids, change, cursor = take(tmp_path, source(), cursor)
    assert (ids, change) == ([4, 5], Change.ADD)
    assert take(tmp_path, source(), cursor) == ([], None, cursor)


def test_compaction_adds_nothing_and_hides_nothing(lake, tmp_path):
    _, _, cursor = take(tmp_path, source())
    DeltaTable(lake).optimize.compact()
    write_deltalake(lake, words(4), mode="append")
    write_deltalake(lake, words(5), mode="append")
    DeltaTable(lake).optimize.compact()
    ids, change, cursor = take(tmp_path, source(), cursor)
    assert (ids, change) == ([4, 5], Change.ADD)
    write_deltalake(lake, words(6, 7), mode="append")
    DeltaTable(lake).optimize.z_order(["id"])
    ids, change, after = take(tmp_path, source(), cursor)
    assert ids == [6, 7]
    DeltaTable(lake).optimize.z_order(["word"])
    assert take(tmp_path, source(), after) == ([], None, after)


REWRITES = {
    "delete": lambda lake: DeltaTable(lake).delete("id = 2"),
    "update": lambda lake: DeltaTable(lake).update({"word": "'two'"}, predicate="id = 2"),
    "overwrite": lambda lake: write_deltalake(lake, words(7, 8), mode="overwrite"),
    "merge": lambda lake: (
        DeltaTable(lake).merge(words(3, 4), "s.id = t.id", "s", "t").when_matched_update_all()
        .when_not_matched_insert_all().execute()
    ),
    "restore": lambda lake: (write_deltalake(lake, words(4), mode="append"), DeltaTable(lake).restore(0)),
}  # fmt: skip


@pytest.mark.parametrize("rewrite", REWRITES)
def test_a_rewritten_table_is_read_whole_or_refused(lake, tmp_path, rewrite):
    cursor = take(tmp_path, source())[2]
    REWRITES[rewrite](lake)
    expected = sorted(DeltaTable(lake).to_pyarrow_table()["id"].to_pylist())
    with pytest.raises(Refused, match="version") as caught:
        take(tmp_path, source(), cursor)
    assert caught.value.code == "delta_rewritten"
    assert "`key`" in caught.value.hint
    ids, change, after = take(tmp_path, source(contract=KEYED), cursor)
    assert (sorted(ids), change) == (expected, Change.WHOLE)
    assert take(tmp_path, source(contract=KEYED), after) == ([], None, after)


def test_the_dataset_follows_a_table_that_is_rewritten(lake, project):
    spec = source(contract=KEYED)
    project.ingest(spec, "words")
    write_deltalake(lake, words(4), mode="append")
    assert project.ingest(spec, "words").rows == 4
    DeltaTable(lake).delete("id = 2")
    DeltaTable(lake).update({"word": "'three'"}, predicate="id = 3")
    dataset = project.ingest(spec, "words")
    assert sorted((row["id"], row["word"]) for row in project.rows("words")) == [(1, "w1"), (3, "three"), (4, "w4")]
    assert project.ingest(spec, "words") == dataset
    write_deltalake(lake, words(5), mode="append")
    project.ingest(spec, "words")
    assert project.column("id", "words") == [1, 3, 4, 5]


def test_a_table_that_was_emptied(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    DeltaTable(lake).delete()
    with pytest.raises(Refused, match="no row any more"):
        take(tmp_path, source(contract=KEYED), cursor)


def test_a_table_that_was_deleted_and_made_anew(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    shutil.rmtree(lake)
    write_deltalake(lake, words(1, 2, 3, 4))
    with pytest.raises(Refused, match="made anew"):
        take(tmp_path, source(), cursor)
    ids, change, _ = take(tmp_path, source(contract=KEYED), cursor)
    assert (ids, change) == ([1, 2, 3, 4], Change.WHOLE)


def test_a_version_of_ones_choice(lake, tmp_path):
    for number in (4, 5):
        write_deltalake(lake, words(number), mode="append")
    ids, _, cursor = take(tmp_path, source(version=1))
    assert ids == [1, 2, 3, 4]
    write_deltalake(lake, words(6), mode="append")
    assert take(tmp_path, source(version=1), cursor) == ([], None, cursor)
    assert take(tmp_path, source(version=2), cursor)[0] == [5]
    with pytest.raises(Refused, match="0 is older"):
        take(tmp_path, source(version=0), cursor)
    assert take(tmp_path, source(version=0, contract=KEYED), cursor)[:2] == ([1, 2, 3], Change.WHOLE)
    with pytest.raises(Refused, match="cannot be read") as caught:
        take(tmp_path, source(version=99))
    assert caught.value.code == "delta_unreadable"


def test_a_history_that_was_vacuumed(lake, tmp_path):
    cursor = take(tmp_path, source())[2]
    write_deltalake(lake, words(4), mode="append")
    write_deltalake(lake, words(5), mode="overwrite")
    table = DeltaTable(lake)
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    with pytest.raises(NotFound, match="gone") as caught:
        take(tmp_path, source(version=1))
    assert caught.value.code == "delta_vacuumed"
    assert "version" in caught.value.hint
    table.create_checkpoint()
    for commit in ("00000000000000000001.json", "00000000000000000002.json"):
        (lake / "_delta_log" / commit).unlink()
    with pytest.raises(Refused, match="log of version 1 is no longer there"):
        take(tmp_path, source(), cursor)
    assert take(tmp_path, source(contract=KEYED), cursor)[:2] == ([5], Change.WHOLE)


def test_partitions_of_every_spelling(tmp_path, project):
    at, day = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), date(2026, 1, 2)

    def rows(first):
        return pa.table(
            {
                "id": [first, first + 1, first + 2, first + 3],
                "at": pa.array([at, None, None, None], pa.timestamp("us", "UTC")),
                "name": ["a b/c:%2F=ü", "", None, "x"],
                "day": [day, None, None, None],
                "on": [True, False, None, True],
            }
        )

    for first in (1, 5):  # by the list of files, then by the log
        write_deltalake(tmp_path / "lake", rows(first), partition_by=["name", "at", "day", "on"], mode="append")
        project.ingest(source(), "things")
    found = {row["id"]: row for row in project.rows("things")}
    for first in (1, 5):
        assert found[first] == {"id": first, "at": at, "name": "a b/c:%2F=ü", "day": day, "on": True}
        assert [found[first + step]["name"] for step in (1, 2, 3)] == [None, None, "x"], "an empty text is no path"
        assert [found[first + step]["on"] for step in (1, 2, 3)] == [False, None, True]


def test_columns_that_came_later(lake, tmp_path, project):
    project.ingest(source(), "words")
    more = words(4).append_column("more", pa.array([1.5]))
    write_deltalake(lake, more, mode="append", schema_mode="merge")
    with pytest.raises(Refused, match=r"\+ more number"):
        project.ingest(source(), "words")
    project.ingest(source(), "words", accept_schema=True)
    assert project.rows("words")[-1] == {"id": 4, "word": "w4", "more": 1.5}
    DeltaTable(lake).alter.add_columns([Field("last", PrimitiveType("string"))])
    assert project.ingest(source(), "words").rows == 4
    assert take(tmp_path, source())[0] == [1, 2, 3, 4]


def test_types_keep_their_values(tmp_path, project):
    rows = pa.table({"id": [1], "price": [Decimal("12.30")], "tags": [["a", "b"]], "raw": [b"\0"], "small": [0.1]})
    rows = rows.set_column(4, "small", rows["small"].cast(pa.float32()))
    write_deltalake(tmp_path / "lake", rows)
    project.ingest(source(), "words")
    assert project.rows("words") == [
        {"id": 1, "price": 12.3, "tags": '["a","b"]', "raw": '"AA=="', "small": pytest.approx(0.1, abs=1e-8)}
    ]


def test_deletion_vectors_hide_rows(lake, tmp_path):
    cursor = take(tmp_path, source(contract=KEYED))[2]
    (path,) = [row["path"] for row in pa.table(DeltaTable(lake).get_add_actions()).to_pylist()]
    size = (lake / path).stat().st_size
    table = DeltaTable(lake)
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    add = {
        "path": path, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": True,
        "deletionVector": vector(1),
    }  # fmt: skip
    remove = {"path": path, "deletionTimestamp": 0, "dataChange": True}
    lines = [protocol, {"remove": remove}, {"add": add}]
    (lake / "_delta_log" / f"{table.version() + 1:020d}.json").write_text("\n".join(map(json.dumps, lines)))
    assert sorted(take(tmp_path, source())[0]) == [1, 3]
    with pytest.raises(Refused, match="deletion vectors"):
        take(tmp_path, source(), cursor)
    ids, change, after = take(tmp_path, source(contract=KEYED), cursor)
    assert (sorted(ids), change) == ([1, 3], Change.WHOLE)
    assert take(tmp_path, source(contract=KEYED), after) == ([], None, after)


def vector(row):
    """A deletion vector of one row, inline: a 64 bit Roaring bitmap in Z85, as Delta's protocol has it."""
    inner = struct.pack("<IIHHIH", 12346, 1, 0, 0, 16, row)
    content = struct.pack("<IqI", 1681511377, 1, 0) + inner
    content += bytes(-len(content) % 4)
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    text = ""
    for (number,) in struct.iter_unpack(">I", content):
        text += "".join(letters[number // 85**place % 85] for place in range(4, -1, -1))
    return {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(content), "cardinality": 1}


def test_a_file_that_is_damaged(lake, tmp_path):
    (path,) = lake.glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20] + b"\0" * 20)
    with pytest.raises(InvalidInput) as caught:
        take(tmp_path, source())
    assert caught.value.code == "delta_damaged"


def test_rows_that_are_added_while_it_is_read_are_read_next_time(lake, tmp_path):
    reading = open_reader(source(), Place(tmp_path, tmp_path)).read("")
    first = next(reading)
    write_deltalake(lake, words(4), mode="append")
    (position,) = list(reading)
    assert first.rows.num_rows == 3
    assert take(tmp_path, source(), position.cursor)[0] == [4]


def test_the_plan_knows_without_reading_that_nothing_is_new(lake, tmp_path):
    before = fingerprint(source(), tmp_path)
    assert fingerprint(source(), tmp_path) == before
    write_deltalake(lake, words(4), mode="append")
    assert fingerprint(source(), tmp_path) != before


@pytest.mark.parametrize("path", ["https://x/y", "ftp://x/y", "s3://"])
def test_paths_that_hold_no_table(path):
    with pytest.raises(ValueError, match=r"read|bucket"):
        DeltaSource(kind="delta", path=path)


def test_a_table_in_an_object_store(tmp_path):
    with object_store(tmp_path) as store:
        options = {
            "endpoint": store.endpoint, "region": "us-east-1", "access_key_id": KEY, "secret_access_key": SECRET,
            "allow_http": "true", "aws_s3_allow_unsafe_rename": "true",
        }  # fmt: skip
        uri = "s3://words/lakes/things"
        write_deltalake(uri, words(1, 2), storage_options=options)

        def reader(secret=SECRET, path=uri, **more):
            storage = {
                "endpoint": store.endpoint, "allow_http": True, "patience_seconds": 1,
                "access_key": {"env": "KEY"}, "secret_key": {"env": "SECRET"}, **more,
            }  # fmt: skip
            spec = DeltaSource(kind="delta", path=path, storage=storage)
            secrets = KnownSecrets({"KEY": KEY, "SECRET": secret}, tmp_path)
            return open_reader(spec, Place(tmp_path, tmp_path, secrets))

        (batch, position) = reader().read("")
        assert list(map(int, batch.rows["id"].to_pylist())) == [1, 2]
        write_deltalake(uri, words(3), mode="append", storage_options=options)
        (batch, position) = reader().read(position.cursor)
        assert list(map(int, batch.rows["id"].to_pylist())) == [3]
        assert list(reader().read(position.cursor)) == []
        with pytest.raises(NotFound) as caught:
            list(reader(path="s3://words/nowhere").read(""))
        assert caught.value.code == "delta_unknown"
        with pytest.raises(Forbidden) as caught:
            list(reader("wrong").read(""))
        assert caught.value.code == "delta_forbidden"
        assert "wrong" not in str(caught.value)
    with pytest.raises(Transient) as caught:
        list(reader().read(""))
    assert caught.value.code == "delta_unreachable"
    assert caught.value.hint
    assert "\x1b" not in str(caught.value)
