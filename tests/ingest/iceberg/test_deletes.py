"""Rows that are deleted beside their data files: by place, by bitmap, by value."""

import zlib

import pyarrow as pa
import pytest
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.table.puffin import MAGIC_BYTES
from pyiceberg.transforms import IdentityTransform
from pyiceberg.typedef import Record
from pyiceberg.types import StringType
from pyroaring import BitMap
from tests.ingest.iceberg.conftest import WORDS, Lake, data_file, source, take, words

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput
from drivetrain.ingest.reading import open_reader


def test_by_place(lake, tmp_path):
    lake.table.append(words(4, 5))
    first, second = sorted(lake.data_files(), key=lambda file: -file.record_count)
    lake.delete_at(first, 0, 2)
    lake.delete_at(second, 1)
    lake.delete_at(second, 1)
    lake.table.append(words(6))
    assert take(tmp_path, source())[0] == [2, 4, 6]


def test_a_row_keeps_its_number(lake, tmp_path):
    (file,) = lake.data_files()
    lake.delete_at(file, 0)
    batch = next(open_reader(source(), Place(tmp_path, tmp_path)).read(""))
    assert batch.numbers.to_pylist() == [2, 3]


def test_many_rows_of_a_large_file(tmp_path):
    lake = Lake(tmp_path)
    lake.make().append(words(*range(150_000)))
    (file,) = lake.data_files()
    lake.delete_at(file, *range(0, 150_000, 3))
    lake.delete_equal(pa.table({"id": list(range(1, 150_000, 3))}), [1])
    assert take(tmp_path, source())[0] == list(range(2, 150_000, 3))
    lake.close()


def test_by_a_bitmap(lake, tmp_path):
    (file,) = lake.data_files()
    path = tmp_path / "lake/sales/words/data/vector.puffin"
    blobs = [_vector([5]), _vector([0, 2])]
    path.write_bytes(_puffin([("elsewhere.parquet", blobs[0]), (file.file_path, blobs[1])]))
    lake.add_delete_file(data_file(path, 2, content=DataFileContent.POSITION_DELETES, file_format=FileFormat.PUFFIN))
    assert take(tmp_path, source())[0] == [2]


def _vector(places):
    """`deletion-vector-v1` of Iceberg's Puffin specification, of places below 2**32."""
    bits = b"\xd1\xd3\x39\x64" + (1).to_bytes(8, "little") + bytes(4) + BitMap(places).serialize()
    return len(bits).to_bytes(4, "big") + bits + zlib.crc32(bits).to_bytes(4, "big")


def _puffin(blobs):
    content, told = MAGIC_BYTES, []
    for path, blob in blobs:
        told.append(
            f'{{"type":"deletion-vector-v1","fields":[2147483546],"snapshot-id":-1,"sequence-number":-1,'
            f'"offset":{len(content)},"length":{len(blob)},"properties":{{"referenced-data-file":"{path}"}}}}'
        )
        content += blob
    footer = f'{{"blobs":[{",".join(told)}]}}'.encode()
    return content + MAGIC_BYTES + footer + len(footer).to_bytes(4, "little") + bytes(4) + MAGIC_BYTES


def test_by_value_only_older_rows_go(lake, tmp_path):
    lake.delete_equal(pa.table({"id": [2, 99]}), [1])
    lake.table.append(words(2, 5))
    lake.delete_equal(pa.table({"word": ["w5"]}), [2])
    assert take(tmp_path, source())[0] == [1, 3, 2]


def test_by_several_values_and_none(tmp_path):
    lake = Lake(tmp_path)
    rows = pa.table({"id": [1, 1, 2, None, None], "word": ["1:a", None, "1:a", "x", None]})
    lake.make().append(rows)
    lake.delete_equal(pa.table({"word": pa.array([None, "1:a", "x"], pa.string()), "id": [1, 2, None]}), [2, 1])
    batch = next(open_reader(source(), Place(tmp_path, tmp_path)).read(""))
    assert batch.rows.to_pylist() == [{"id": 1, "word": "1:a"}, {"id": None, "word": None}]
    lake.close()


def test_by_a_column_that_came_later_or_was_renamed(lake, tmp_path):
    with lake.table.update_schema() as update:
        update.rename_column("word", "term").add_column("more", StringType())
    lake.table.append(pa.table({"id": [4, 5], "term": ["w4", "w5"], "more": ["m", None]}))
    lake.delete_equal(pa.table({"old": ["w1", "w5"]}), [2])
    assert take(tmp_path, source())[0] == [2, 3, 4]
    lake.delete_equal(pa.table({"more": pa.array([None], pa.string())}), [3])
    assert take(tmp_path, source())[0] == [4]


def test_only_in_their_partition(tmp_path):
    lake = Lake(tmp_path)
    lake.make(WORDS, PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "word")))
    lake.table.append(pa.table({"id": [1, 1, 2], "word": ["a", "b", "b"]}))
    lake.delete_equal(pa.table({"id": [1]}), [1], Record("b"))
    ids = take(tmp_path, source())[0]
    assert sorted(ids) == [1, 2]
    lake.close()


def test_a_damaged_delete_file(lake, tmp_path):
    lake.delete_equal(pa.table({"id": [2]}), [1])
    (path,) = (tmp_path / "lake/sales/words/data").glob("*-deletes.parquet")
    path.write_bytes(b"PAR1" + path.read_bytes()[4:-9] + b"\0\0\0\0\0PAR1")
    with pytest.raises(InvalidInput) as caught:
        take(tmp_path, source())
    assert caught.value.code == "iceberg_damaged"
