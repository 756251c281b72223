"""``python -m drivetrain.store.code_process``: a process that runs a person's scoring code, and does nothing else.

Rows come in on standard input, scores go out on what was standard output: frames of raw float64, never a pickle. What
the code prints goes to standard error. The process ends when its input does, that is when its parent is gone, and by
itself when a call takes longer than its parent would wait, so that nothing outlives a parent that was killed.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import resource
import shutil
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from drivetrain.core.schema import ColumnType
from drivetrain.core.task import Task

LENGTH = struct.Struct("=I")
"""In front of the order (its bytes) and of each request (its rows, of float64 [F] each)."""
ANSWER = struct.Struct("=cI")
"""In front of each answer: its kind, and its bytes."""
READY, SCORES, FAILED = b"r", b"s", b"f"
LONGEST_COMPLAINT = 4096
START_SECONDS = 60.0
"""For the code to be imported and to load its files."""
UNKNOWN_TEXT = "<unknown>"
"""What the code is told for a text that is none of the categories of its column."""

_ONE = 1e-6
_GRACE_SECONDS = 1.0
_DAY = 86400.0
_LATEST_MICROS = 9.2e18
Numbers = NDArray[np.float64]
Columns = Mapping[str, NDArray[np.generic]]
ScoreFunction = Callable[[Columns], object]


@dataclass(frozen=True)
class CodeColumn:
    """A column as the code sees it; ``categories`` in the order of their codes."""

    name: str
    type: str
    categories: Sequence[str] = ()


@dataclass(frozen=True)
class Order:
    """What the process is to run: ``function`` (``file.py:name``) of ``folder``, on these columns, in these limits.

    What it answers is what the ``task`` asks; of several ``classes`` the probability of each.
    """

    folder: str
    function: str
    columns: Sequence[CodeColumn]
    seconds: float
    memory_mb: int | None
    task: str = Task.YES_NO
    classes: Sequence[str] = ()

    def encode(self) -> bytes:
        """The order as a frame."""
        body = json.dumps(asdict(self)).encode()
        return LENGTH.pack(len(body)) + body

    @classmethod
    def decode(cls, body: bytes) -> Order:
        """The order that ``encode`` wrote, without the length."""
        told = json.loads(body)
        return cls(**(told | {"columns": [CodeColumn(**column) for column in told["columns"]]}))


def columns_of(fields: Sequence[CodeColumn], rows: Numbers) -> dict[str, NDArray[np.generic]]:
    """Packed rows [n, F] as the columns [n] that the code is given; see ``core.model.InputField`` for the packing.

    Numbers, integers and booleans (1 and 0) are float64 with NaN for missing; text is an object array of ``str`` or
    None, ``UNKNOWN_TEXT`` for a text that is no category; dates are datetime64[D] and timestamps datetime64[us] (UTC),
    NaT for missing.
    """
    return {field.name: _column(field, rows[:, at]) for at, field in enumerate(fields)}


def _column(field: CodeColumn, packed: Numbers) -> NDArray[np.generic]:
    missing = np.isnan(packed)
    if field.type == ColumnType.TEXT:
        texts = np.array([*field.categories, UNKNOWN_TEXT, None], dtype=object)
        known = (packed >= 0) & (packed < len(field.categories))
        codes = np.where(missing, len(texts) - 1, np.where(known, packed, len(texts) - 2))
        return cast(NDArray[np.generic], texts[codes.astype(np.intp)])
    if field.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
        day = field.type == ColumnType.DATE
        counted = np.clip(np.rint(packed / _DAY if day else packed * 1e6), -_LATEST_MICROS, _LATEST_MICROS)
        moments = np.where(missing, 0, counted).astype(np.int64).astype("datetime64[D]" if day else "datetime64[us]")
        moments[missing] = np.datetime64("NaT")
        return moments
    return packed.copy()


def load(order: Order) -> ScoreFunction:
    """Import the function from the folder, and from nowhere else. Raises what the import raises, or ImportError."""
    file, _, name = order.function.partition(":")
    sys.path.insert(0, order.folder)
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    if not Path(module.__file__ or "").is_relative_to(order.folder):
        raise ImportError(f"{file} is named like a module of Python's own; give it another name")
    found: object = getattr(module, name)
    if not callable(found):
        raise ImportError(f"{name} in {file} is not a function")
    return found


def scores_of(answer: object, rows: int, task: str = Task.YES_NO, classes: Sequence[str] = ()) -> Numbers:
    """What the code answered, float64 [rows]: probabilities or, where the task is that, numbers; of classes [rows, K].

    Of classes the code answers a mapping from each class, or some of them, to its probabilities, which add up to one.
    Raises ValueError or TypeError when it is something else.
    """
    if task == Task.CLASSES:
        return _of_classes(answer, rows, classes)
    scores = _array(answer, rows)
    promised = "number" if task == Task.NUMBER else "probability"
    wrong = np.flatnonzero(~sound(scores, task))
    if wrong.size:
        raise ValueError(f"it answered {scores[wrong[0]]} for row {wrong[0]}, which is no {promised}")
    return scores


def sound(scores: Numbers, task: str) -> NDArray[np.bool_]:
    """Which answers are what the task promises: finite numbers, or probabilities."""
    return np.asarray(np.isfinite(scores) if task == Task.NUMBER else (scores >= 0) & (scores <= 1))


def _of_classes(answer: object, rows: int, classes: Sequence[str]) -> Numbers:
    if not isinstance(answer, Mapping):
        raise TypeError(f"it answered {type(answer).__name__}, not the probabilities of each class by its name")
    strange = [name for name in answer if name not in classes]
    if strange:
        raise ValueError(f"it answered for {strange[0]!r}; the classes are {', '.join(list(classes)[:5])}")
    scores = np.zeros((rows, len(classes)))
    for name, values in answer.items():
        scores[:, list(classes).index(name)] = scores_of(values, rows)
    wrong = np.flatnonzero(np.abs(scores.sum(axis=1) - 1.0) > _ONE)
    if wrong.size:
        raise ValueError(f"its probabilities for row {wrong[0]} add up to {scores[wrong[0]].sum():.6g}, not to one")
    return scores


def _array(answer: object, rows: int) -> Numbers:
    scores = np.asarray(answer, dtype=np.float64)
    if scores.shape != (rows,):
        raise ValueError(f"it answered an array of shape {scores.shape} for {rows} rows, not ({rows},)")
    return np.ascontiguousarray(scores)


def main() -> None:
    """Take the order, load the code, then answer request after request until the input ends."""
    requests, answers = _take_pipes()
    _contain()
    with suppress(EOFError):
        order = Order.decode(_whole(requests, _length(requests)))
        try:
            _answer_all(order, requests, answers)
        except (BrokenPipeError, EOFError):
            shutil.rmtree(order.folder, ignore_errors=True)  # nobody is left who would
    os._exit(0)  # whatever threads the code has started


def _answer_all(order: Order, requests: BinaryIO, answers: BinaryIO) -> None:
    if order.memory_mb is not None:
        most = order.memory_mb * 1024 * 1024
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        with _alarm(START_SECONDS):
            function = load(order)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a person's code may raise anything; it is told to the parent
        _send(answers, FAILED, _complaint(error, order))
        return
    _send(answers, READY, b"")
    while True:
        rows = _length(requests)
        packed = np.frombuffer(_whole(requests, 8 * rows * len(order.columns))).reshape(rows, -1)
        try:
            with _alarm(order.seconds):
                answer = function(columns_of(order.columns, packed))
                scores = scores_of(answer, rows, order.task, order.classes)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            _send(answers, FAILED, _complaint(error, order))
        else:
            _send(answers, SCORES, scores.tobytes())


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of the parent, out of the code's way: it reads nothing, and what it prints is no frame."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return os.fdopen(requests, "rb"), os.fdopen(answers, "wb")


def _contain() -> None:
    """A crash tells where it was and leaves no core file; an alarm ends the process, whatever it is busy with."""
    faulthandler.enable()
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """The kernel ends the process after this time, and a little more: usually the parent has done so by then."""
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _whole(requests: BinaryIO, size: int) -> bytes:
    """So many bytes; raises EOFError when the parent is gone."""
    body = requests.read(size)
    if len(body) < size:
        raise EOFError
    return body


def _length(requests: BinaryIO) -> int:
    (length,) = LENGTH.unpack(_whole(requests, LENGTH.size))
    return int(length)


def _send(answers: BinaryIO, kind: bytes, body: bytes) -> None:
    answers.write(ANSWER.pack(kind, len(body)) + body)
    answers.flush()


def _complaint(error: BaseException, order: Order) -> bytes:
    """``file.py:12: ValueError: ...``: what the code raised and the line of it that did."""
    inside = [
        f"{Path(frame.filename).relative_to(order.folder)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(order.folder)
    ]
    if isinstance(error, SyntaxError) and error.filename is not None:
        inside.append(f"{Path(error.filename).name}:{error.lineno}")
    where = inside[-1] if inside else order.function
    said = traceback.format_exception_only(error)[-1].strip()
    return f"{where}: {said}".encode(errors="replace")[:LONGEST_COMPLAINT]


if __name__ == "__main__":
    main()
