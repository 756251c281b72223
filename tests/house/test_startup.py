"""What starting costs. How fast a machine is differs; which libraries are imported does not, so that is what is held.

``benchmarks/startup.py`` measures the times.
"""

import json
import subprocess
import sys

import pytest

DATA = {"numpy", "pyarrow", "deltalake", "pandas", "duckdb", "onnxruntime", "scipy", "sklearn", "xgboost", "optuna"}
HEAVY = DATA | {
    "pydantic",
    "cryptography",
    "msgspec",
    "yaml",
    "jinja2",
    "plotly",
    "mlflow",
    "uvloop",
    "rich",
    "urllib3",
    "drivetrain.engine",
}
SERVER_NEVER = {
    "sklearn",
    "scipy",
    "pandas",
    "sqlalchemy",
    "duckdb",
    "xgboost",
    "optuna",
    "mlflow",
    "skl2onnx",
    "plotly",
}

HELP = """
from drivetrain.cli.main import cli
try:
    cli.main(["--help"], prog_name="drivetrain")
except SystemExit as end:
    assert end.code == 0
"""
NOTHING_TO_DO = "import drivetrain.cli.stages, drivetrain.engine.project, drivetrain.engine.run"
PYTHON = "import drivetrain"
SERVER = "import drivetrain.serve.__main__"
WORKER = "import drivetrain.serve.worker"
RECORDER = "import drivetrain.serve.recorder"


@pytest.mark.parametrize(
    ("code", "never"),
    [
        pytest.param(HELP, HEAVY, id="help"),
        pytest.param(PYTHON, HEAVY, id="import"),
        pytest.param(NOTHING_TO_DO, DATA, id="nothing is stale"),
        pytest.param(SERVER, HEAVY - {"msgspec"}, id="server"),
        pytest.param(WORKER, SERVER_NEVER | {"pyarrow", "deltalake"}, id="worker"),
        pytest.param(RECORDER, SERVER_NEVER, id="recorder"),
    ],
)
def test_nothing_heavy_is_imported(code, never):
    assert _imported(code) & never == set()


def test_the_look_at_modules_sees_them():
    assert "numpy" in _imported("import drivetrain.ops.metrics")


def _imported(code):
    """The modules, and the packages they are in, that this code makes a fresh interpreter import."""
    show = "import sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    modules = json.loads(run.stdout.splitlines()[-1])
    return {".".join(name.split(".")[: depth + 1]) for name in modules for depth in range(name.count(".") + 1)}
