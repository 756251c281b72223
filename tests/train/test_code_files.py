from __future__ import annotations

import pytest

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.project import ModelSpec
from drivetrain.train.code_files import read_code


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "project"
    files = ("score.py", "tables/a.csv", "tables/deep/b.csv", "tables/.secret", "tables/__pycache__/a.pyc", "other.csv")
    for name in files:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    (tmp_path / "outside.csv").write_text("not ours")
    return home


def read(home, *files):
    return read_code(ModelSpec(code="score.py:score", files=files), home)


def test_without_code_there_is_nothing_to_read(home):
    assert read_code(ModelSpec(), home) == {}


def test_a_folder_is_all_that_is_shown_below_it(home):
    assert read(home) == {"score.py": b"score.py"}
    assert list(read(home, "tables")) == ["score.py", "tables/a.csv", "tables/deep/b.csv"]
    assert list(read(home, "tables/*.csv", "**/b.csv")) == ["score.py", "tables/a.csv", "tables/deep/b.csv"]


@pytest.mark.parametrize("pattern", ["../outside.csv", "/etc/hostname", "tables/../../outside.csv", "link.csv", ""])
def test_what_lies_outside_the_project_is_refused(home, pattern):
    (home / "link.csv").symlink_to(home.parent / "outside.csv")
    with pytest.raises(InvalidInput) as told:
        read(home, pattern)
    assert told.value.code == "path_outside_project"


@pytest.mark.parametrize("pattern", ["tabels", "tables/*.parquet", "tables/__pycache__"])
def test_a_pattern_that_matches_nothing_is_a_mistake(home, pattern):
    with pytest.raises(NotFound) as told:
        read(home, pattern)
    assert told.value.code == "code_files_missing"


def test_files_that_are_too_large_are_refused_before_they_are_read(home):
    with (home / "tables" / "huge.bin").open("wb") as file:
        file.truncate(257 * 1024 * 1024)
    with pytest.raises(InvalidInput, match="larger than 256 MiB"):
        read(home, "tables")
