from __future__ import annotations

import os
from pathlib import Path

import pytest

from drivetrain.access.sealed import SealedFolder
from drivetrain.core.errors import InvalidInput, NotFound, Tampered


def test_every_file_is_listed_with_its_path_inside(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep.txt").write_bytes(b"12345")
    (tmp_path / "top.txt").write_bytes(b"")
    sealed = SealedFolder.open(tmp_path)
    assert sealed.names == {"a/b/deep.txt", "top.txt"}
    assert sealed.read("a/b/deep.txt", 5) == b"12345"
    assert sealed.read("top.txt") == b""


def test_no_more_is_read_than_was_promised(tmp_path: Path):
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Tampered, match=r"large\.bin is not what was signed: it is longer than 10 bytes"):
        SealedFolder.open(tmp_path).read("large.bin", 10)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(Tampered, match=r"model\.onnx is missing"):
        SealedFolder.open(tmp_path).read("model.onnx")


def test_nothing_outside_is_read(tmp_path: Path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    for name in ("../secret", str(tmp_path / "secret"), "."):
        with pytest.raises(Tampered, match="is missing"):
            SealedFolder.open(tmp_path / "inside").read(name)


def test_links_and_devices_are_refused(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    makers = {
        "link": lambda path: path.symlink_to(tmp_path / "file"),
        "folder_link": lambda path: path.symlink_to(tmp_path),
        "broken_link": lambda path: path.symlink_to("nowhere"),
        "pipe": os.mkfifo,
    }
    for name, make in makers.items():
        folder = tmp_path / f"with_{name}"
        (folder / "inside").mkdir(parents=True)
        make(folder / "inside" / name)
        with pytest.raises(Tampered, match=f"inside/{name} is a link or a device"):
            SealedFolder.open(folder)


def test_a_file_that_becomes_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"good")
    sealed = SealedFolder.open(tmp_path)
    (tmp_path / "file").unlink()
    (tmp_path / "file").symlink_to("/dev/zero")
    with pytest.raises(InvalidInput, match="cannot be read"):
        sealed.read("file")


def test_strangers_are_named(tmp_path: Path):
    (tmp_path / "known").write_bytes(b"")
    (tmp_path / "new\x1b[31m").write_bytes(b"")
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    with pytest.raises(Tampered) as error:
        SealedFolder.open(tmp_path).refuse_others({"known"})
    assert error.value.message == "empty/folder/, 'new\\x1b[31m' does not belong here"


def test_a_deep_tree_is_walked(tmp_path: Path):
    inside = "/".join(["d"] * 900)
    (tmp_path / inside).mkdir(parents=True)
    assert SealedFolder.open(tmp_path).names == {f"{inside}/"}


def test_no_folder_is_no_release(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(NotFound, match="there is no release here"):
            SealedFolder.open(path)
