"""SIGKILL at random moments of loads of documents: each stands once in the table, and every original is whole."""

import os
import random
import signal
from contextlib import closing, suppress
from hashlib import sha256
from threading import Event

import pytest
from tests.ingest.killed_loads import Loads
from tests.papers.written import docx

from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.store.originals import Originals

SPEC = {"kind": "documents", "path": "in", "ocr": False, "retention_days": 9, "contract": {"max_bad_share": 1}}


@pytest.mark.parametrize("kills", [pytest.param(3), pytest.param(25, marks=pytest.mark.slow)])
def test_kills_at_random_moments(project, kills):
    chance, contents = random.Random(kills), [docx(f"letter {number}") for number in range(40)]
    with closing(Loads(project.home, DocumentsSource.model_validate(SPEC), "people")) as loads:
        for kill in range(kills):
            for number in range(kill * 40 // kills, (kill + 1) * 40 // kills):
                project.write(f"in/{number}.docx", contents[number])
            child = loads.start()
            Event().wait(chance.uniform(0, 1.5))
            with suppress(ProcessLookupError):  # it was quicker
                os.kill(child, signal.SIGKILL)
            loads.finish()
        assert loads.run() == 40
    assert sorted(project.column("text")) == sorted(f"letter {number}" for number in range(40))
    originals = Originals(project.home / ".drivetrain")
    for content in contents:
        kept = originals.find(sha256(content).hexdigest())
        assert kept is not None
        assert kept.read_bytes() == content
