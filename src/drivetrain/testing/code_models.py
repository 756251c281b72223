"""Small models that are Python code, good ones and bad ones, for whatever has to live with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from drivetrain.core.model import Signature
from drivetrain.store.code_models import CodeEntry, ModelCode
from drivetrain.store.models import ModelContent
from drivetrain.testing.graphs import SIGNATURE, Numbers, model_of

FUNCTION = "scoring.py:score"
GOOD = """\
import numpy as np

def score(columns):
    income = np.nan_to_num(columns["income-per-month"], nan=3000.0)
    return 1 / (1 + np.exp(-(40 - columns["age"]) / 20 - (3000 - income) / 2000))
"""
BAD = """\
import ctypes, os
from scoring_good import score as good

def score(columns):
    for age, deed in ((101, hang), (102, crash), (103, leave), (104, fail)):
        if (columns["age"] == age).any():
            deed()
    return good(columns)

def hang():
    while True:
        pass

def crash():
    ctypes.string_at(0)

def leave():
    os.write(2, b"these are my last words")
    os._exit(3)

def fail():
    raise ZeroDivisionError("no such age")
"""
HANGS, CRASHES, LEAVES, FAILS = 101.0, 102.0, 103.0, 104.0
"""Ages of a row at which ``bad_code`` does so; at any other it answers as ``good_code``."""


def good_code(*, processes: int = 1, seconds: float = 2.0) -> ModelContent:
    """A model that judges by age and income."""
    return code_model(GOOD, processes=processes, seconds=seconds)


def bad_code(*, processes: int = 1, seconds: float = 2.0) -> ModelContent:
    """The same, but that it hangs, crashes, leaves or fails at certain ages."""
    return code_model(BAD, {"scoring_good.py": GOOD.encode()}, processes=processes, seconds=seconds)


def code_model(
    source: str,
    files: Mapping[str, bytes] | None = None,
    *,
    processes: int = 1,
    seconds: float = 2.0,
    memory_mb: int | None = None,
    signature: Signature = SIGNATURE,
    rows: Numbers | None = None,
) -> ModelContent:
    """A whole model whose ``scoring.py`` is this source, with the function ``score`` in it; see ``model_of``."""
    entry = CodeEntry(FUNCTION, processes, seconds, memory_mb)
    code = ModelCode(entry, {"scoring.py": source.encode(), **(files or {})})
    return replace(model_of(b"", signature, rows), code=code)


def soon_tried_again(content: ModelContent, seconds: float) -> ModelContent:
    """The same model, which rests only so long when it is broken."""
    assert content.code is not None
    return replace(content, code=replace(content.code, entry=replace(content.code.entry, rest_seconds=seconds)))
