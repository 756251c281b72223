"""Loads of one source in processes of their own, each of which may be killed at a moment that is named."""

import json
import os
import random
import signal
import subprocess
import sys
import threading

SCRIPT = """
import importlib, json, os, signal, sys
from pathlib import Path
from pydantic import TypeAdapter
from drivetrain.access.secrets import KnownSecrets
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.sources import SourceSpec
from drivetrain.ingest import ingest
from drivetrain.store.catalog import Catalog

home, said, dataset, moments = Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
spec = TypeAdapter(SourceSpec).validate_json(said)
moments["before the table"] = ["drivetrain.ingest.ingest", "_commit"]
places = {name: (importlib.import_module(module), attribute) for name, (module, attribute) in moments.items()}

def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def load(moment):
    if moment in places:
        owner, attribute = places[moment]
        *way, last = attribute.split(".")
        for step in way:
            owner = getattr(owner, step)
        setattr(owner, last, dies)
    with Catalog(home) as catalog:
        try:
            if moment == "replay":
                return ingest.replay(spec, dataset, catalog).rows
            return ingest.ingest(spec, dataset, catalog, secrets=KnownSecrets({}, home)).rows
        except (InvalidInput, Transient) as error:
            assert error.code in ("no_rows", "in_use"), error
            return 0

for line in sys.stdin:  # a child for each load: what is imported is there already
    child = os.fork()
    if not child:
        print(load(line.strip()), flush=True)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Loads:
    """Loads one after the other. A moment is the name of a function, which kills the process that calls it.

    The moment ``replay`` is none: it replays the quarantine instead of loading.
    """

    def __init__(self, home, spec, dataset="things", **moments):
        """``moments``: module and dotted name of the function, by what the moment is called (words with _)."""
        places = {name.replace("_", " "): place for name, place in moments.items()}
        command = [
            sys.executable,
            "-c",
            SCRIPT,
            str(home),
            spec.model_dump_json(exclude_unset=True),
            dataset,
            json.dumps(places),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    def start(self, moment=""):
        """The id of the process that loads."""
        self._process.stdin.write(f"{moment}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def finish(self):
        """The rows of the table; None when the load was killed, be it with its last breath."""
        rows = ended = int(self._process.stdout.readline())
        if ended >= 0:
            ended = int(self._process.stdout.readline())
        assert ended in (0, -signal.SIGKILL)
        return rows if ended == 0 else None

    def run(self, moment=""):
        self.start(moment)
        return self.finish()

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def kill_while_messages_come(loads, send, kills, *, together=40, longest=0.8):
    """Kill so many loads at random moments while ``send(numbers)`` goes on; gives how many messages were sent."""
    chance, over, sent = random.Random(kills), threading.Event(), [0]

    def chatter():
        while not over.is_set():
            send(range(sent[0], sent[0] + together))
            sent[0] += together
            over.wait(0.02)

    sender = threading.Thread(target=chatter)
    sender.start()
    try:
        for _ in range(kills):
            child = loads.start()
            over.wait(chance.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
            assert loads.finish() is None
    finally:
        over.set()
        sender.join()
    return sent[0]
