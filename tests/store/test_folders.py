import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import Tampered
from drivetrain.store.folders import check_files, digests, read_folder, write_file, write_folder

FILES = {"a.txt": b"one", "sub/b.bin": b"\x00two"}


def test_folder_is_read_back(tmp_path):
    written = write_folder(tmp_path / "f", FILES)
    assert read_folder(tmp_path / "f") == FILES
    assert written == digests(FILES)


def test_folder_replaces_the_one_before(tmp_path):
    write_folder(tmp_path / "f", FILES)
    write_folder(tmp_path / "f", {"c": b"3"})
    assert read_folder(tmp_path / "f") == {"c": b"3"}
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    write_file(tmp_path / "a", b"old")
    monkeypatch.setattr("os.fsync", _fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _fail(handle):
    raise OSError("disk full")


def test_link_is_refused(tmp_path):
    write_folder(tmp_path / "f", FILES)
    (tmp_path / "f" / "link").symlink_to("/etc/hostname")
    with pytest.raises(Tampered, match="link is a link"):
        read_folder(tmp_path / "f")


@given(st.sampled_from(sorted(FILES)), st.integers(0, 3), st.integers(1, 255))
def test_one_changed_byte_is_named(name, position, change):
    content = bytearray(FILES[name])
    content[position % len(content)] ^= change
    with pytest.raises(Tampered, match=name):
        check_files({**FILES, name: bytes(content)}, digests(FILES), "here")


def test_missing_and_added_files_are_named():
    with pytest.raises(Tampered, match=r"a\.txt is missing"):
        check_files({"sub/b.bin": FILES["sub/b.bin"]}, digests(FILES), "here")
    with pytest.raises(Tampered, match="new does not belong"):
        check_files({**FILES, "new": b""}, digests(FILES), "here")
