import subprocess
import sys

ARRAYS = """
import sys
import drivetrain.store.arrow_alone
import pyarrow as pa, pyarrow.dataset
assert pa.array([1, None]).null_count == 1
assert "pandas" not in sys.modules
"""
FRAMES = """
import pandas as pd
frame = pd.DataFrame({"a": [1.0, None]})
assert pa.Table.from_pandas(frame)["a"].null_count == 1
assert pa.table({"a": [2]}).to_pandas()["a"].tolist() == [2]
"""


def test_arrow_makes_arrays_without_pandas_and_takes_frames_all_the_same():
    done = subprocess.run([sys.executable, "-c", ARRAYS + FRAMES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
