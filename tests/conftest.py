"""A small project on made-up loans, for whatever needs a whole one: it runs from data to release in seconds."""

import csv
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: an example may take as long as it takes.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

PROJECT = """\
project: small-risk
sources:
  loans:
    kind: files
    path: data/*.csv
    contract:
      key: [id]
      max_bad_share: 0.05
      columns:
        id: {type: integer, nullable: false}
        age: {type: integer, nullable: false, min: 18, max: 120}
        income: {type: number, min: 0}
        home: {type: text, one_of: [rent, own, family]}
        late: {type: integer, nullable: false, min: 0, max: 1}
features:
  spine: features/cases.sql
  entity: loan_id
  label: defaulted
  tables:
    borrower: {sql: features/borrower.sql}
  split: {by: stratum, test: 0.3, seed: 0}
model:
  candidates:
    - learner: logistic
    - learner: hist_gradient_boosting
  budget: {trials: 3}
  decision: {kind: cost, false_positive: 1, false_negative: 5}
  tracking: "off"
gates:
  roc_auc: {min: 0.6}
  fairness:
    - {column: home, measure: demographic_parity, max: 1.0}
  slices: {max_drop: 0.9, min_rows: 50}
  robustness: {max_drop: 0.9}
  latency: {p99_ms: 1000}
service: {port: 0}
monitor: {min_rows: 50}
"""
CASES = "SELECT id AS loan_id, late = 1 AS defaulted FROM loans\n"
BORROWER = "SELECT id AS loan_id, age, income, home FROM loans\n"


def write_loans(path: Path, ids: range, *, bad: int = 0) -> None:
    """Loans whose risk falls with age and income; the last ``bad`` of them have an impossible age."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "age", "income", "home", "late"])
        for number in ids:
            chance = random.Random(number)
            age, income = chance.randint(18, 80), round(chance.lognormvariate(8, 0.5), 2)
            home = chance.choice(["rent", "own", "family"])
            risk = 0.75 - age / 140 - min(income, 8000) / 24000 + (0.15 if home == "rent" else 0)
            late = int(chance.random() < risk)
            shown = "" if chance.random() < 0.05 else income
            writer.writerow([number, 7 if number >= ids.stop - bad else age, shown, home, late])


def write_small_project(folder: Path) -> Path:
    """The files of the small project: 1,500 loans, 3 of them bad; no identities yet."""
    (folder / "features").mkdir(parents=True)
    (folder / "drivetrain.yaml").write_text(PROJECT)
    (folder / "features" / "cases.sql").write_text(CASES)
    (folder / "features" / "borrower.sql").write_text(BORROWER)
    write_loans(folder / "data" / "january.csv", range(1500), bad=3)
    return folder


def with_identities(folder: Path):
    """The project, opened, with an ML engineer and an AI engineer."""
    from drivetrain.core.roles import Role
    from drivetrain.core.settings import Settings
    from drivetrain.engine.project import Project

    project = Project(folder, Settings())
    project.add_actor("mia", Role.ML_ENGINEER)
    project.add_actor("alex", Role.AI_ENGINEER)
    return project


@pytest.fixture(autouse=True)
def _no_identity_from_outside(monkeypatch):
    monkeypatch.delenv("DRIVETRAIN_ACTOR", raising=False)
    monkeypatch.delenv("DRIVETRAIN_KEYS", raising=False)


@pytest.fixture
def project(tmp_path):
    """A small project nobody has run yet."""
    opened = with_identities(write_small_project(tmp_path / "small-risk"))
    yield opened
    opened.catalog.close()


@pytest.fixture(scope="session")
def _released_once(tmp_path_factory):
    folder = write_small_project(tmp_path_factory.mktemp("released") / "small-risk")
    opened = with_identities(folder)
    opened.run()
    opened.catalog.close()
    return folder


@pytest.fixture
def released(_released_once, tmp_path):
    """A small project that was run up to its release; a copy of its own for every test."""
    from drivetrain.core.settings import Settings
    from drivetrain.engine.project import Project

    folder = tmp_path / "small-risk"
    shutil.copytree(_released_once, folder, symlinks=True)
    opened = Project(folder, Settings())
    yield opened
    opened.catalog.close()


@pytest.fixture
def drivetrain():
    """The command line, as a process of its own: ``drivetrain("plan", cwd=...)``."""

    def call(*arguments: object, cwd: Path, code: int | None = 0, timeout: float = 240):
        done = subprocess.run(
            [sys.executable, "-m", "drivetrain", *map(str, arguments)],
            cwd=cwd, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return call


@pytest.fixture
def commands(monkeypatch):
    """The same commands in this process, for whoever gives many of them: nothing is started for each."""

    def call(*arguments: object, cwd: Path, code: int | None = 0):
        from drivetrain.cli.main import cli

        monkeypatch.chdir(cwd)
        done = CliRunner().invoke(cli, [*map(str, arguments)], env={"COLUMNS": "200"})
        assert "Traceback" not in done.stderr, done.stderr
        assert code is None or done.exit_code == code, f"exit {done.exit_code}\n{done.output}"
        return done

    return call
