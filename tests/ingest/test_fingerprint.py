import os
import subprocess
import sys

import pytest

from drivetrain.core.errors import NotFound
from drivetrain.core.sources.files import FilesSource, WheelSource
from drivetrain.ingest.fingerprint import fingerprint


def test_importing_it_loads_no_data_library():
    code = "import sys, drivetrain.ingest.fingerprint; print(*(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "drivetrain" in loaded
    assert not {"duckdb", "_duckdb", "pyarrow", "deltalake", "numpy", "pandas"} & set(loaded)


def test_it_changes_with_names_sizes_and_times_only(tmp_path):
    spec = FilesSource(kind="files", path="*.csv")
    (tmp_path / "a.csv").write_text("x\n1\n")
    first = fingerprint(spec, tmp_path)
    assert fingerprint(spec, tmp_path) == first
    (tmp_path / "b.csv").write_text("x\n1\n")
    second = fingerprint(spec, tmp_path)
    os.utime(tmp_path / "b.csv", ns=(1, 1))
    third = fingerprint(spec, tmp_path)
    with (tmp_path / "b.csv").open("a") as file:
        file.write("2\n")
    os.utime(tmp_path / "b.csv", ns=(1, 1))
    assert len({first, second, third, fingerprint(spec, tmp_path)}) == 4


def test_a_wheel_goes_by_its_promise(tmp_path):
    spec = WheelSource(kind="wheel", package="p", version="1", member="a.csv", sha256="0" * 64)
    assert fingerprint(spec, tmp_path) != fingerprint(spec.model_copy(update={"sha256": "1" * 64}), tmp_path)


def test_nothing_there_is_an_error(tmp_path):
    with pytest.raises(NotFound):
        fingerprint(FilesSource(kind="files", path="*.csv"), tmp_path)
