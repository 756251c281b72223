"""Garbage at the doors of the command line: a clear error with the next step, no trace-back."""

import json
import random

import pytest
from tests.conftest import PROJECT, with_identities, write_small_project

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb") + random.Random(0).randbytes(4000)


@pytest.fixture
def folder(tmp_path):
    folder = write_small_project(tmp_path / "small-risk")
    with_identities(folder).catalog.close()
    return folder


def data_is(name, content):
    def spoil(folder):
        (folder / "data" / "january.csv").unlink()
        (folder / "data" / name).write_bytes(content)
        text = PROJECT.replace("data/*.csv", f"data/{name}")
        (folder / "drivetrain.yaml").write_text(text)

    return spoil


def project_is(text):
    return lambda folder: (folder / "drivetrain.yaml").write_text(text)


def sql_is(text):
    return lambda folder: (folder / "features" / "borrower.sql").write_text(text)


GARBAGE = {
    "broken yaml": (project_is("project: ["), 3, "yaml_invalid"),
    "yaml of wrong types": (project_is("project: 7\nsources: 3\nfeatures: x\n"), 3, "project_invalid"),
    "yaml of bytes": (lambda folder: (folder / "drivetrain.yaml").write_bytes(JPEG), 3, "project_unreadable"),
    "missing project": (lambda folder: (folder / "drivetrain.yaml").unlink(), 4, "project_not_found"),
    "missing sql": (lambda folder: (folder / "features" / "borrower.sql").unlink(), 4, "project_file_missing"),
    "missing data": (lambda folder: (folder / "data" / "january.csv").unlink(), 4, None),
    "parquet that is a jpeg": (data_is("loans.parquet", JPEG), 3, None),
    "csv that is a jpeg": (data_is("loans.csv", JPEG), None, None),
    "gz that is cut": (data_is("loans.csv.gz", b"\x1f\x8b\x08\x00abc"), 3, None),
    "json lines that are not": (data_is("loans.jsonl", b"{]\nnot json\n"), None, None),
    "empty csv": (data_is("loans.csv", b""), 3, None),
    "sql that is none": (sql_is("SELEC age FRUM loans"), 3, None),
    "sql of another table": (sql_is("SELECT id AS loan_id, age FROM loanz"), None, None),
    "sql without the entity": (sql_is("SELECT age FROM loans"), None, None),
    "unknown learner": (project_is(PROJECT.replace("logistic", "logistik")), None, None),
    "hook that is not there": (project_is(PROJECT.replace("logistic", "nothing.py:build")), None, None),
    "gate hook that is not there": (
        project_is(PROJECT.replace("gates:\n", "gates:\n  custom: {mine: {hook: 'gone.py:f', bound: {min: 1}}}\n")),
        None,
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_gives_a_clear_error(name, folder, commands):
    spoil, code, error_code = GARBAGE[name]
    spoil(folder)
    done = commands("run", "--json", cwd=folder, code=code)
    assert 3 <= done.exit_code <= 9, done.output
    error = json.loads(done.stdout)["error"]
    assert error["message"]
    assert error["hint"] or error["where"]
    assert error_code in (None, error["code"])
