"""Real processes that run a person's code, and what happens to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.store.code_models import MOST_FAILURES, CodeScorer
from drivetrain.store.models import Scorer, model_from, open_scorer
from drivetrain.testing.code_models import (
    CRASHES,
    FAILS,
    HANGS,
    LEAVES,
    bad_code,
    code_model,
    good_code,
    soon_tried_again,
)
from drivetrain.testing.graphs import draw, logistic_model

ROWS = draw(100, seed=1)
NOTHING = "import numpy as np\ndef score(columns):\n    return np.full(len(columns['age']), 0.5)\n"


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left(tmp_path_factory):
    """Where the code is put for its processes, by whatever test; in the end it is empty."""
    place, before = tmp_path_factory.mktemp("own"), tempfile.tempdir
    tempfile.tempdir = str(place)
    yield
    tempfile.tempdir = before
    assert list(place.iterdir()) == []


def at_age(age: float):
    rows = ROWS[:3].copy()
    rows[1, 0] = age
    return rows


def expected(rows):
    income = np.nan_to_num(rows[:, 1], nan=3000.0)
    return 1 / (1 + np.exp(-(40 - rows[:, 0]) / 20 - (3000 - income) / 2000))


def gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody reaps has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def until(condition, seconds: float = 20.0):
    pause, late = threading.Event(), time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < late, "it did not come true in time"
        pause.wait(0.01)


@pytest.fixture(scope="module")
def pool(nothing_is_left):
    """Two processes of a model that does bad things when asked to."""
    with closing(open_scorer(bad_code(processes=2, seconds=1.5))) as scorer:
        yield scorer


# --- what it answers ------------------------------------------------------------------------------------------------


def test_code_answers_row_by_row_what_it_computes(pool):
    assert np.array_equal(pool.score(ROWS), expected(ROWS))
    assert pool.score(ROWS[:1]).tolist() == expected(ROWS[:1]).tolist()
    assert pool.score(ROWS[:0]).shape == (0,)


def test_more_rows_than_one_call_takes_are_answered_in_order():
    sizes = "import numpy as np\ndef score(columns):\n    n = len(columns['age'])\n    return np.full(n, n / 1000)\n"
    with closing(open_scorer(code_model(sizes))) as scorer:
        assert scorer.score(draw(1100)).tolist() == [0.512] * 1024 + [0.076] * 76


def test_a_graph_runs_here_and_code_elsewhere(pool):
    graph = open_scorer(logistic_model())
    assert isinstance(graph, Scorer)
    assert (graph.in_process, graph.processes, graph.broken) == (True, 0, False)
    graph.close()
    assert (pool.in_process, pool.processes, pool.broken) == (False, 2, False)
    assert os.getpid() not in pool.pids


def test_the_folder_of_a_code_model_holds_code_and_entry_and_no_graph():
    content = bad_code(processes=3, seconds=1.5)
    files = content.files()
    assert {name for name in files if not name.endswith(".json")} == {
        "expected.npy", "code/scoring.py", "code/scoring_good.py",
    }  # fmt: skip
    assert model_from(files, "here").code == content.code
    with pytest.raises(InvalidInput, match=r"code/scoring\.py is missing"):
        model_from({name: files[name] for name in files if name != "code/scoring.py"}, "here")


def test_columns_come_as_the_types_of_the_signature():
    source = """
import numpy as np
def score(columns):
    assert list(columns) == ["age", "income-per-month", "member", "city", "born", "seen"]
    kinds = [column.dtype.str for column in columns.values()]
    assert kinds == ["<f8", "<f8", "<f8", "|O", "<M8[D]", "<M8[us]"], kinds
    assert columns["city"].tolist() == ["Bern", "<unknown>", None]
    assert str(columns["born"][0]) == "1980-01-01" and np.isnat(columns["born"][2])
    assert str(columns["seen"][0]) == "2023-11-14T22:13:20.500000" and np.isnat(columns["seen"][2])
    assert columns["member"][0] == 1 and np.isnan(columns["member"][2])
    columns["age"] += 1
    return np.array([0, 0.25, 1])
"""
    nan = float("nan")
    rows = np.array([[40, 1.5, 1, 1, 315532800, 1.7e9 + 0.5], [40, 2, 0, -1, 0, 1e300], [40, nan, nan, nan, nan, nan]])
    with closing(open_scorer(code_model(source))) as scorer:
        assert scorer.score(rows).tolist() == [0, 0.25, 1]


def test_code_finds_its_files_and_nothing_of_the_caller(monkeypatch):
    source = """
import os, sys, numpy as np
from pathlib import Path
HERE = Path(__file__).parent
RATE = float((HERE / "tables" / "rate.txt").read_text())
assert Path("tables/rate.txt").exists()
assert "A_SECRET" not in os.environ and os.environ["OMP_NUM_THREADS"] == "1"
def score(columns):
    assert sys.stdin.read() == ""
    return np.full(len(columns["age"]), RATE)
"""
    monkeypatch.setenv("A_SECRET", "key")
    with closing(open_scorer(code_model(source, {"tables/rate.txt": b"0.125"}))) as scorer:
        assert scorer.score(ROWS[:2]).tolist() == [0.125, 0.125]


def test_what_code_prints_is_no_answer():
    source = "import os\n" + NOTHING.replace(
        "    return", "    print('noise' * 100_000); os.system('echo more')\n    return"
    )
    with closing(open_scorer(code_model(source, seconds=10))) as scorer:
        for _ in range(3):
            assert scorer.score(ROWS[:2]).tolist() == [0.5, 0.5]


# --- what it may do wrong -------------------------------------------------------------------------------------------


def test_an_error_of_the_code_is_told_with_its_line_and_costs_no_process(pool):
    before = pool.pids
    with pytest.raises(InvalidInput, match="ZeroDivisionError: no such age") as told:
        pool.score(at_age(FAILS))
    assert (told.value.code, told.value.where) == ("model_code_failed", "scoring.py:22")
    assert pool.pids == before


ANSWERS = {
    "np.ones((n, 2))": r"shape \(3, 2\) for 3 rows",
    "np.ones(1)": r"shape \(1,\) for 3 rows",
    "columns['city']": "could not convert string to float",
    "None": "shape",
    "np.array([0.5, np.nan, 0.5])": "nan for row 1, which is no probability",
    "np.array([0.5, 0.5, 1.5])": r"1\.5 for row 2, which is no probability",
    "sys.exit(1)": "SystemExit: 1",
    "input()": "EOFError",
}


def test_an_answer_that_is_none_is_refused_and_costs_no_process():
    answers = ", ".join(f"lambda columns, n: {answer}" for answer in ANSWERS)
    source = f"import sys\nimport numpy as np\nANSWERS = [{answers}]\n"
    source += "def score(columns):\n    return ANSWERS[int(columns['age'][0])](columns, len(columns['age']))\n"
    rows = ROWS[:3].copy()
    rows[:, 3] = 1
    with closing(open_scorer(code_model(source))) as scorer:
        before = scorer.pids
        for number, reason in enumerate(ANSWERS.values()):
            rows[0, 0] = number
            with pytest.raises(InvalidInput, match=reason) as told:
                scorer.score(rows)
            assert told.value.code == "model_code_failed"
        assert scorer.pids == before


@pytest.mark.parametrize(
    ("source", "reason", "where"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'", "scoring.py:1"),
        ("x = 1\ndef score(columns:\n", "SyntaxError", "scoring.py:2"),
        ("def other(columns): ...\n", "AttributeError", "scoring.py:score"),
        ("score = 3\n", "score in scoring.py is not a function", "scoring.py:score"),
    ],
)
def test_code_that_cannot_be_loaded_is_refused_at_once(source, reason, where):
    with pytest.raises(InvalidInput, match=reason) as told:
        open_scorer(code_model(source))
    assert (told.value.code, told.value.where) == ("model_code_failed", where)


def test_code_is_never_imported_from_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "needed.py").write_text("RATE = 0.5\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="No module named 'needed'"):
        open_scorer(code_model("import needed\n" + NOTHING))


def test_a_call_that_hangs_is_ended_and_the_next_one_works(pool):
    before = pool.pids
    with pytest.raises(Transient, match=r"did not answer within 1.5 s") as told:
        pool.score(at_age(HANGS))
    assert told.value.code == "model_timeout"
    assert np.array_equal(pool.score(ROWS), expected(ROWS))
    assert len(set(before) & set(pool.pids)) == 1
    assert all(gone(pid) for pid in set(before) - set(pool.pids))


def test_a_crash_is_told_with_its_last_words(pool):
    with pytest.raises(Transient, match=r"exit code 3; its last words:\n  these are my last words") as told:
        pool.score(at_age(LEAVES))
    assert told.value.code == "model_crashed"
    with pytest.raises(Transient, match=r"signal 11 \(SIGSEGV\)(.|\n)*File \"scoring.py\", line 15 in crash"):
        pool.score(at_age(CRASHES))
    assert np.array_equal(pool.score(ROWS), expected(ROWS))
    assert not pool.broken


def test_endless_last_words_are_cut():
    source = "import os\ndef score(columns):\n    os.write(2, b'word ' * 500_000 + b'end'); os._exit(1)\n"
    with closing(open_scorer(code_model(source))) as scorer, pytest.raises(Transient) as told:
        scorer.score(ROWS[:1])
    assert len(told.value.message) < 3000


def test_a_process_that_writes_into_its_answers_is_replaced():
    source = """
import os
from contextlib import suppress
def score(columns):
    for handle in range(3, 20):
        with suppress(OSError):
            os.write(handle, b"this is no frame")
    return columns["age"] / 100
"""
    with closing(open_scorer(code_model(source))) as scorer:
        before = scorer.pids
        with pytest.raises(Transient, match="is no answer") as told:
            scorer.score(ROWS[:1])
        assert told.value.code == "model_crashed"
        assert scorer.pids != before


def test_memory_that_is_not_there_is_an_error_of_the_code():
    source = NOTHING.replace("    return", "    np.ones((100_000, 100_000))\n    return")
    with (
        closing(open_scorer(code_model(source, memory_mb=1024))) as scorer,
        pytest.raises(InvalidInput, match="MemoryError"),
    ):
        scorer.score(ROWS[:1])


def test_after_crash_upon_crash_it_rests_and_recovers():
    with closing(open_scorer(soon_tried_again(bad_code(), 0.3))) as scorer:
        for _ in range(MOST_FAILURES):
            with pytest.raises(Transient, match="exit code 3"):
                scorer.score(at_age(LEAVES))
        assert scorer.broken
        assert scorer.pids == []
        with pytest.raises(Transient, match="5 times in a row") as told:
            scorer.score(ROWS)
        assert told.value.code == "model_broken"
        until(lambda: _answers(scorer))
        assert not scorer.broken


def _answers(scorer) -> bool:
    try:
        return scorer.score(ROWS).shape == (100,)
    except Transient:
        return False


def test_rows_of_another_width_are_refused_and_disturb_nobody(pool):
    with pytest.raises(InvalidInput, match="for a model of 6 inputs"):
        pool.score(np.ones((3, 5)))
    assert np.array_equal(pool.score(ROWS), expected(ROWS))


# --- many at once, and the end --------------------------------------------------------------------------------------


def test_threads_use_several_processes_side_by_side():
    source = NOTHING.replace("    return", "    PLACE.wait()\n    return").replace(
        "import numpy as np", "import numpy as np, os, time, pathlib\n"
        "class PLACE:\n"
        "    def wait():\n"
        "        pathlib.Path(f'{os.getpid()}.here').touch()\n"
        "        while len(list(pathlib.Path().glob('*.here'))) < 2: time.sleep(0.005)\n",
    )  # fmt: skip
    with closing(open_scorer(code_model(source, seconds=20), processes=2)) as scorer, ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(scorer.score, [ROWS[:1], ROWS[:2]]))
    assert [len(answer) for answer in answers] == [1, 2], "each waits for the other, so they ran at the same time"


def test_good_calls_are_answered_right_while_others_crash(pool):
    def ask(number):
        if number % 10 == 0:
            with pytest.raises(Transient):
                pool.score(at_age(LEAVES))
            return True
        rows = draw(number % 7 + 1, seed=number)
        return np.array_equal(pool.score(rows), expected(rows))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(1, 100)))


def test_closing_ends_what_is_under_way_and_leaves_nothing():
    scorer = open_scorer(bad_code(processes=2, seconds=30))
    pids = scorer.pids
    with ThreadPoolExecutor(3) as threads:
        calls = [threads.submit(scorer.score, at_age(HANGS)) for _ in range(3)]
        until(scorer._idle.empty)
        scorer.close()
        told = [call.exception(timeout=20) for call in calls]
    assert {error.code for error in told} == {"model_crashed", "model_closed"}
    assert all(gone(pid) for pid in pids)
    with pytest.raises(Transient, match="was closed"):
        scorer.score(ROWS)
    scorer.close()


def test_one_that_was_forgotten_leaves_nothing():
    scorer = open_scorer(good_code())
    pids = scorer.pids
    del scorer
    until(lambda: all(gone(pid) for pid in pids))


PARENT = """
import sys, threading
import numpy as np
from drivetrain.store.models import open_scorer
from drivetrain.testing.code_models import bad_code, HANGS
from drivetrain.testing.graphs import draw
scorer = open_scorer(bad_code(processes=2), seconds=float(sys.argv[1]))
rows = draw(1)
if sys.argv[2] == "hang":
    rows[0, 0] = HANGS
    threading.Thread(target=scorer.score, args=(rows,)).start()
    while not scorer._idle.qsize() == 1: pass
print(*scorer.pids, flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize("deed", ["idle", "hang"])
def test_no_process_outlives_a_parent_that_was_killed(deed, tmp_path):
    command = [sys.executable, "-c", PARENT, "1", deed]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)}) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in pids))
    until(lambda: not list(tmp_path.glob("drivetrain-code-*")))


def test_a_path_out_of_the_model_is_refused():
    with pytest.raises(InvalidInput, match="leads out of the model"):
        CodeScorer(code_model(NOTHING, {"../evil.py": b""}).code, good_code().signature)
