"""Imports go downward only, and stand at the top of their file."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from importlinter.cli import lint_imports

LAZY_ROOMS = ("cli", "engine")
"""Doors and the room behind them import a stage when it runs: `--help` and a run with nothing to do must not pay."""
LAZY_PARTS = {
    "drivetrain.ingest.bigquery.arrow": "it stands on the extra bigquery",
    "drivetrain.ingest.databases.reader": "it stands on the extra sql",
    "drivetrain.ingest.iceberg.table": "it stands on the extra iceberg",
    "drivetrain.ingest.iceberg.sql_catalog": "it stands on the extra sql",
    "drivetrain.ingest.replication.reader": "it stands on the extra sql",
    "drivetrain.deliver.sql_table": "it stands on the extra sql",
    "drivetrain.serve.grpc_server": "it stands on the extra grpc",
    "drivetrain.serve.arrow_rows": "Arrow takes longer to load than the whole server, and most callers send JSON",
    "drivetrain.serve.forecast_answers": "it reads the lake by Arrow, and most services forecast nothing",
    "drivetrain.serve.entity_answers": "it reads the lake by Arrow, and a page is asked for now and then",
    "drivetrain.serve.queue_answers": "it reads the lake by Arrow, and a queue is asked now and then",
    "drivetrain.serve.generation": "it needs urllib3 and pydantic, and few services have answers worded",
    "drivetrain.store.arrow_alone": "it is Arrow",
    "drivetrain.store.history": "it needs Arrow, and a server reads the lake only to fill new windows",
}
"""Parts of a room that are loaded when they are first needed, and why."""
PACKAGE = "src/drivetrain/__init__.py"


def test_the_floors_hold(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    code = lint_imports(cache_dir=str(root / ".import_linter_cache"))
    assert code == 0, capsys.readouterr().out


def test_every_contract_is_there(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["type"] == "layers")
    assert layers["exhaustive"] is True
    assert all("ignore_imports" not in contract for contract in contracts), "there is no list of exceptions"
    server = next(contract for contract in contracts if contract.get("source_modules") == ["drivetrain.serve"])
    assert {"sklearn", "scipy", "pandas", "sqlalchemy", "duckdb"} <= set(server["forbidden_modules"])


@pytest.fixture(scope="session")
def optional(root):
    """The modules of the extras, and of what those bring along."""
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    lines = [line for extra, lines in extras.items() if extra not in ("all", "dev") for line in lines]
    names = {re.split(r"[\[<>=]", line)[0] for line in lines}
    modules = {module for module, found in packages_distributions().items() if names & set(found)}
    assert {"sklearn", "plotly", "mlflow"} <= modules
    return modules


def test_an_import_inside_a_function_is_an_optional_extra_or_a_lazy_stage(product, optional):
    late = [
        f"{source.at(node)}: {module}"
        for source in product
        if source.room not in LAZY_ROOMS and source.name != PACKAGE
        for function in source.nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        for node in ast.walk(function)
        for module in _imported(node)
        if module.partition(".")[0] not in optional and module not in LAZY_PARTS
    ]
    assert not late, "\n".join(late)


def test_a_late_import_of_the_doors_is_their_own_or_standard(product):
    late = [
        f"{source.at(node)}: {module}"
        for source in product
        if source.room in LAZY_ROOMS or source.name == PACKAGE
        for function in source.nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        for node in ast.walk(function)
        for module in _imported(node)
        if module.partition(".")[0] not in {"drivetrain", *sys.stdlib_module_names}
    ]
    assert not late, "\n".join(late)


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
