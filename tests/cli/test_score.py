"""``drivetrain score`` as a process of its own: what it says, and that a kill costs nothing."""

import csv
import json
import os
import random
import signal
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.conftest import PROJECT

from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import as_json, draw, expected_score, logistic_model
from drivetrain.testing.releases import ReleaseMaker

ROWS = 20_000
KILLS = int(os.environ.get("DRIVETRAIN_KILLS", "4"))


# A small process in between: a process begins with the peak memory of the one that started it.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A project that has a deployed release of a small model."""
    (tmp_path / "drivetrain.yaml").write_text(PROJECT)
    maker = ReleaseMaker(tmp_path, "small-risk")
    maker.deploy(maker.release(logistic_model()))
    monkeypatch.setenv("DRIVETRAIN_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def write_rows(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_person_sees_where_the_predictions_are(home, drivetrain):
    rows = as_json(draw(200))
    write_rows(home / "may.csv", [{"case": at, **row} for at, row in enumerate(rows)])
    said = drivetrain("score", "may.csv", cwd=home).stdout
    assert "200 rows scored by release/small-risk@" in said
    place = home / ".drivetrain" / "lake" / "scores" / "may"
    assert f"predictions: {place}" in said
    assert Table(place).read().num_rows == 200
    assert "complete since an earlier run: 200 rows" in drivetrain("score", "may.csv", cwd=home).stdout


def test_a_machine_gets_json_and_exit_codes(home, drivetrain):
    rows = as_json(draw(99))
    write_rows(home / "may.csv", [*rows, {**rows[0], "age": ""}])
    more = ("--to", "out", "--format", "parquet", "--keep", "age,city", "--json")
    scored = json.loads(drivetrain("score", "may.csv", *more, cwd=home).stdout)
    assert (scored["rows"], scored["bad"], scored["before"]) == (99, 1, 0)
    assert scored["output"] == str(home / "out")
    assert scored["quarantine"] == str(home / "out-quarantine")
    assert pq.read_table(home / "out").column_names[:3] == ["age", "city", "score"]
    with Catalog(home) as catalog:
        assert scored["release"] == str(catalog.deployments("small-risk")[0].champion)
    refused = drivetrain("score", "may.csv", *more, "--max-bad-share", "0.001", cwd=home, code=5)
    assert json.loads(refused.stdout)["error"]["code"] == "too_many_unscored_rows"
    assert "no such file" in drivetrain("score", "june.csv", cwd=home, code=4).stderr


def test_kills_at_random_moments_neither_lose_nor_double_a_row(home):
    (home / "in").mkdir()
    rows = as_json(draw(ROWS))
    for at in range(0, ROWS, 997):
        rows[at]["age"] = None
    write_rows(home / "in" / "a.csv", [{"case": at, **row} for at, row in enumerate(rows[: ROWS // 2])])
    later = pa.Table.from_pylist([{"case": str(at), **row} for at, row in enumerate(rows) if at >= ROWS // 2])
    pq.write_table(later, home / "in" / "b.parquet")
    command = [sys.executable, "-m", "drivetrain", "score", "in", "--commit-rows", str(ROWS // KILLS // 15), "--json"]
    output = Table(home / ".drivetrain" / "lake" / "scores" / "in")
    chance, kills = random.Random(3), 0
    while True:
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE)
        if kills < KILLS and wait_for_commits(process, output, chance.randint(0, 6), chance.uniform(0, 0.05)):
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        break
    scored = json.loads(said)
    assert kills == KILLS
    assert scored["before"] > 0
    good, bad = output.read(), Table(output.path.with_name("in-quarantine")).read()
    assert (scored["rows"], scored["bad"]) == (len(good), len(bad)) == (ROWS - 21, 21)
    places = [*zip(good["file"].to_pylist(), good["row"].to_pylist(), strict=True),
              *zip(bad["portion"].to_pylist(), bad["row"].to_pylist(), strict=True)]  # fmt: skip
    assert len(set(places)) == ROWS
    cases = [int(case) for case in good["case"].to_pylist()]
    packed = draw(ROWS)
    assert all(
        abs(score - expected_score(packed[case])) < 1e-9
        for case, score in zip(cases[::50], good["score"].to_pylist()[::50], strict=True)
    )


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(home):
    peaks = []
    for count in (200_000, 3_000_000):
        path = home / f"{count}.parquet"
        piece = pa.Table.from_pylist(as_json(draw(10_000)))
        with pq.ParquetWriter(path, piece.schema) as writer:
            for _ in range(count // len(piece)):
                writer.write_table(piece)
        command = [sys.executable, "-c", PEAK, sys.executable, "-m", "drivetrain", "score", path.name]
        said = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout
        peaks.append(int(said.splitlines()[-1]) / 1024)
    assert peaks[1] < peaks[0] + 120, peaks


def wait_for_commits(process, output, count, beyond):
    """Whether the process still runs a moment after it has made so many commits."""
    log = output.path / "_delta_log"
    before = len(list(log.glob("*.json")))
    while process.poll() is None and len(list(log.glob("*.json"))) < before + count:
        wait(process, 0.002)
    return not wait(process, beyond)


def wait(process, seconds):
    """Whether the process ended within that time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
