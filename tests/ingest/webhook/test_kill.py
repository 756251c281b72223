"""SIGKILL of a service that takes deliveries in and loads them: what was accepted is loaded, once."""

import http.client
import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from tests.ingest.webhook.conftest import SECRET, Sender, free_port, webhook_source

from drivetrain.access.secrets import KnownSecrets
from drivetrain.ingest.ingest import ingest
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table

SCRIPT = """
import os, signal, sys
from pathlib import Path
from tests.ingest.webhook.conftest import SECRET, webhook_source
from drivetrain.access.secrets import KnownSecrets
from drivetrain.core.errors import InvalidInput
from drivetrain.ingest import ingest
from drivetrain.ingest.reading import opened
from drivetrain.ingest.webhook import inbox
from drivetrain.store.catalog import Catalog

moments = {"before the table": (ingest, "_commit"), "before the inbox forgets": (inbox.Inbox, "forget")}
home, spec = Path(sys.argv[1]), webhook_source(int(sys.argv[2]))

def serve(moment):
    if moment:
        setattr(*moments[moment], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    secrets = KnownSecrets({"HOOK_SECRET": SECRET}, home)
    with Catalog(home) as catalog, opened(spec, ingest.place_of(catalog, secrets)) as reader:
        reader.wait(0)
        while True:
            try:
                ingest.ingest_from(reader, spec, "hooks", catalog)
            except InvalidInput as error:
                assert error.code == "no_rows", error
            while not reader.wait(1):
                pass

for line in sys.stdin:  # a child for each service: what is imported is there already
    child = os.fork()
    if not child:
        serve(line.strip())
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


class Deliveries(threading.Thread):
    """Sends one after the other, each again and again until it is accepted."""

    def __init__(self, port):
        super().__init__()
        self.accepted = 0
        self.over = threading.Event()
        self._sender = Sender(port)

    def run(self):
        while not self.over.is_set():
            number = self.accepted
            try:
                status = self._sender.post([{"id": 2 * number}, {"id": 2 * number + 1}], name=f"m{number}").status
            except (OSError, http.client.HTTPException):
                self.over.wait(0.01)
                continue
            assert status == 202
            self.accepted += 1


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(100, marks=pytest.mark.slow)])
def test_what_was_accepted_is_loaded_once_whatever_is_killed(tmp_path, kills):
    port, chance = free_port(), random.Random(kills)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(port)]
    sending, pause = Deliveries(port), threading.Event()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        sending.start()
        try:
            for moment in ["before the table", "before the inbox forgets", *[""] * kills]:
                process.stdin.write(f"{moment}\n")
                process.stdin.flush()
                child = int(process.stdout.readline())
                if not moment:
                    pause.wait(chance.uniform(0.1, 1))
                    os.kill(child, signal.SIGKILL)
                assert process.stdout.readline() == "gone\n"
        finally:
            sending.over.set()
            sending.join()
            process.stdin.close()
    with Catalog(tmp_path) as catalog:
        ingest(webhook_source(port), "hooks", catalog, secrets=KnownSecrets({"HOOK_SECRET": SECRET}, tmp_path))
        found = sorted(Table(catalog.table_path("datasets", "hooks")).read().column("id").to_pylist())
    assert sending.accepted > kills
    assert set(range(2 * sending.accepted)) <= set(found)
    assert len(found) == len(set(found))
    assert len(found) <= 2 * sending.accepted + 2, "the last one may have been kept and its answer lost"
