"""A log that is written and rotated while its loads are killed: no record is lost and none is doubled."""

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from drivetrain.core.sources.logs import LogsSource

SCRIPT = """
import sys
from pathlib import Path
from drivetrain.core.sources.logs import LogsSource
from drivetrain.ingest.ingest import ingest
from drivetrain.store.catalog import Catalog

print("ready", flush=True)
with Catalog(Path(sys.argv[1])) as catalog:
    ingest(LogsSource(kind="logs", path="app.log", format="logfmt"), "people", catalog)
"""


class Server:
    """Writes a log, and rotates it as logrotate does, the one way or the other."""

    def __init__(self, folder, chance):
        self.folder, self.chance, self.written = folder, chance, 0
        self.path = folder / "app.log"

    def write(self, most):
        with self.path.open("a") as file:
            for _ in range(self.chance.randrange(1, most)):
                file.write(f"n={self.written} word=w{self.written}\n")
                self.written += 1

    def rotate(self):
        for number in (8, 7, 6, 5, 4, 3, 2):
            packed = self.folder / f"app.log.{number}.gz"
            if packed.exists():
                packed.rename(self.folder / f"app.log.{number + 1}.gz")
        first = self.folder / "app.log.1"
        if first.exists():  # packed one rotation later
            (self.folder / "app.log.2.gz").write_bytes(gzip.compress(first.read_bytes()))
            shutil.copystat(first, self.folder / "app.log.2.gz")
            first.unlink()
        if self.chance.random() < 0.5:
            self.path.rename(first)
            self.path.touch()
        else:
            shutil.copy2(self.path, first)
            os.truncate(self.path, 0)


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(40, marks=pytest.mark.slow)])
def test_kills_at_random_moments_while_the_log_is_rotated(project, kills):
    chance = random.Random(kills)
    server = Server(project.home, chance)
    spec = LogsSource(kind="logs", path="app.log", format="logfmt")
    for round_ in range(kills):
        server.write(5_000)
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(project.home)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert process.stdout.readline() == b"ready\n"
        server.write(100)
        server.rotate()
        try:
            process.wait(timeout=chance.uniform(0, 1.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        process.stdout.close()
        server.write(100)
        if round_ % 4 == 3:  # before the oldest are rotated away
            project.ingest(spec)
    project.ingest(spec)
    assert project.column("n") == list(range(server.written))
    assert not project.quarantined()
