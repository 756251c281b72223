"""Which files a path with a scheme means."""

import glob
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.connect.afar.address import parse_address


@pytest.mark.parametrize(
    ("path", "base", "key", "folder", "depth"),
    [
        ("s3://bucket/a/b.csv", "s3://bucket/", "a/b.csv", "a/b.csv", None),
        ("s3://bucket", "s3://bucket/", "", "", None),
        ("s3://bucket/a/", "s3://bucket/", "a/", "a", None),
        ("s3://bucket/a/*.csv", "s3://bucket/", "a/*.csv", "a", 1),
        ("s3://bucket/a/day=*/b/*.csv", "s3://bucket/", "a/day=*/b/*.csv", "a", 3),
        ("s3://bucket/a/**/b*.csv", "s3://bucket/", "a/**/b*.csv", "a", None),
        ("abfss://c@lake.dfs.core.windows.net/x/*", "abfss://c@lake.dfs.core.windows.net/", "x/*", "x", 1),
        ("sftp://me@host:2222/home/me/in", "sftp://me@host:2222/", "home/me/in", "home/me/in", None),
        ("https://host/a/b.csv?x=[1]", "https://host/", "a/b.csv?x=[1]", "a/b.csv?x=[1]", None),
    ],
)
def test_a_path_is_taken_apart(path, base, key, folder, depth):
    address = parse_address(path)
    assert (address.base, address.key, address.folder, address.depth) == (base, key, folder, depth)


@pytest.mark.parametrize("path", ["s3://b/", "s3://b/in/", "s3://b"])
def test_a_folder_is_no_single_file(path):
    assert not parse_address(path).is_one


FOLDERS, FILES = ("a", "ab", ".h"), ("b.csv", "c", ".x")
PARTS = ["*", "**", "a*", "?.csv", "b.csv", "[ab]", "a", ".*"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A folder with files up to three folders deep, and their names."""
    home = tmp_path_factory.mktemp("tree")
    folders = ["".join(f"{part}/" for part in parts) for deep in range(4) for parts in product(FOLDERS, repeat=deep)]
    names = [folder + name for folder in folders for name in FILES]
    for name in names:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    return home, names


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join))
def test_a_glob_means_the_files_that_it_means_on_this_machine(tree, pattern):
    home, names = tree
    address = parse_address(f"s3://bucket/{pattern}")
    found = glob.glob(pattern, root_dir=home, recursive=True)  # noqa: PTH207  # what files of this machine go by
    here = {name for name in found if (home / name).is_file() and not name.endswith("/")}  # b.csv/ for b.csv/**
    if address.is_glob:
        assert {name for name in names if address.means(name, "auto")} == here
        assert all(f"/{name}".startswith(f"/{address.folder}") for name in here)
        assert address.depth is None or all(
            name.removeprefix(f"{address.folder}/").count("/") < address.depth for name in here
        )
