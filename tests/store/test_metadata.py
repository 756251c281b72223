import sqlite3

import pytest

from drivetrain.store.metadata import Metadata, named_sql


def test_statements_are_named():
    assert "get_artifact" in named_sql("catalog.sql")
    assert named_sql("catalog.sql")["get_result"].startswith("SELECT ref")


def test_write_is_whole_or_absent(tmp_path):
    metadata = Metadata(tmp_path / "m.db")
    good = ("put_parent", {"child": "a", "parent": "b"})
    with pytest.raises(sqlite3.ProgrammingError):
        metadata.write([good, ("put_parent", {"child": "a"})])
    assert metadata.read("get_parents", child="a") == []
    metadata.write([good])
    assert metadata.read("get_parents", child="a") == [("b",)]
    metadata.close()


def test_what_depends_on_a_first_statement_is_written_with_it_or_not_at_all(tmp_path):
    metadata = Metadata(tmp_path / "m.db")
    values = {"kind": "deployment", "name": "risk", "digest": "", "body": "{}", "actor": "", "made_at": "t"}
    second = [("put_parent", {"child": "a", "parent": "b"})]
    assert not metadata.write_if(("put_next", {**values, "version": "2"}), second)
    assert metadata.read("get_parents", child="a") == []
    with pytest.raises(sqlite3.ProgrammingError):
        metadata.write_if(("put_next", {**values, "version": "1"}), [("put_parent", {"child": "a"})])
    assert metadata.read("history", kind="deployment", name="risk") == []
    assert metadata.write_if(("put_next", {**values, "version": "1"}), second)
    assert metadata.read("get_parents", child="a") == [("b",)]
    metadata.close()


def test_opening_again_migrates_nothing(tmp_path):
    for _ in range(2):
        Metadata(tmp_path / "m.db").close()
    with sqlite3.connect(tmp_path / "m.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    connection.close()
