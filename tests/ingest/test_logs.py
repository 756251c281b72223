"""Logs followed through rotation, by the real logrotate and by renaming as it does; each record once."""

import gzip
import os
import shutil
import subprocess
import time

import pytest

from drivetrain.connect.place import Place
from drivetrain.core.errors import InvalidInput, Transient
from drivetrain.core.sources.logs import LogsSource
from drivetrain.ingest.log_files import find_log
from drivetrain.ingest.logs import LogsReader
from drivetrain.ingest.reading import Batch
from drivetrain.testing.readers import ReaderContract

HOUR_AGO = time.time() - 3600


class TestLogs(ReaderContract):
    def make(self, home, rows):
        (home / "words.log").write_text("".join(f"id={number} word={word}\n" for number, word in rows))
        return LogsSource(kind="logs", path="words.log", format="logfmt")

    def add(self, home, rows):
        """The log is rotated away, and the new rows stand in a new one."""
        for file in sorted(home.glob("words.log.*"), key=lambda file: int(file.suffix[1:]), reverse=True):
            file.rename(file.with_suffix(f".{int(file.suffix[1:]) + 1}"))
        (home / "words.log").rename(home / "words.log.1")
        return self.make(home, rows)

    def remove(self, home):
        for file in home.glob("words.log*"):
            file.unlink()


@pytest.fixture
def log(project):
    """A log in the project that can be written, and loaded into the table ``people``."""
    return Log(project)


class Log:
    def __init__(self, project):
        self.project, self.path, self.next = project, project.home / "var" / "app.log", 1
        self.path.parent.mkdir()
        self.spec = LogsSource(kind="logs", path="var/app.log", format="logfmt", contract={"max_bad_share": 1})

    def write(self, count, end="\n"):
        with self.path.open("a") as file:
            for _ in range(count):
                file.write(f"time=2024-01-01T00:00:00Z n={self.next} word=w{self.next}{end}")
                self.next += 1

    def load(self):
        self.project.ingest(self.spec)
        return self.project.column("n")

    def everything(self):
        return list(range(1, self.next))

    def beside(self, ending):
        return self.path.with_name(self.path.name + ending)


def logrotate(log, *directives):
    if shutil.which("logrotate") is None:
        pytest.skip("logrotate is not installed: apt-get install logrotate")
    settings, state = log.project.home / "rotate.conf", log.project.home / "rotate.state"
    settings.write_text(f"{log.path} {{\nrotate 9\n" + "\n".join(directives) + "\n}\n")
    settings.chmod(0o600)
    subprocess.run(["logrotate", "--force", "--state", state, settings], check=True, timeout=30)


@pytest.mark.parametrize(
    "directives",
    [
        ("create",),
        ("create", "compress"),
        ("create", "compress", "delaycompress"),
        ("copytruncate",),
        ("copytruncate", "compress"),
        ("create", "dateext", "dateformat -%Y%m%d-STEP", "extension .log"),
    ],
    ids=" ".join,
)
def test_the_real_logrotate(log, directives):
    for written in (3, 0, 200):
        log.write(written)
        log.load()
        log.write(2)  # between the load and the rotation
        logrotate(log, *(one.replace("STEP", str(written)) for one in directives))  # a name for each
        log.write(1)
        assert log.load() == log.everything()
    assert len(list(log.path.parent.iterdir())) > 2


def test_several_rotations_between_two_loads(log):
    log.write(2)
    assert log.load() == log.everything()
    for number in (3, 2, 1):
        log.write(number)
        log.path.rename(log.beside(f".{number}"))
        os.utime(log.beside(f".{number}"), (HOUR_AGO - number, HOUR_AGO - number))
    assert log.load() == log.everything()  # just then there is no current file
    log.write(1)
    assert log.load() == log.everything()


def test_a_copy_that_was_made_while_the_log_is_not_emptied_yet(log):
    log.write(5)
    shutil.copy(log.path, log.beside(".1"))
    assert log.load() == log.everything()  # at the first load already
    log.write(3)
    assert log.load() == log.everything()
    log.beside(".1").rename(log.beside(".2"))
    shutil.copy(log.path, log.beside(".1"))
    os.truncate(log.path, 0)
    assert log.load() == log.everything()
    log.write(4)
    assert log.load() == log.everything()


def test_a_file_that_is_being_packed_is_not_read_twice(log):
    log.write(5)
    log.path.rename(log.beside(".1"))
    content = log.beside(".1").read_bytes()
    log.beside(".1.gz").write_bytes(gzip.compress(content)[:20])
    log.write(1)
    assert log.load() == log.everything()
    log.beside(".1.gz").write_bytes(gzip.compress(content))
    assert log.load() == log.everything()
    log.beside(".1").unlink()
    assert log.load() == log.everything()


def test_a_packed_file_is_looked_into_once(log):
    log.write(5)
    log.load()
    log.beside(".1.gz").write_bytes(gzip.compress(log.path.read_bytes()))
    log.path.unlink()
    log.write(1)
    log.load()
    status = log.beside(".1.gz").stat()
    with log.beside(".1.gz").open("r+b") as file:
        file.write(bytes(status.st_size))
    os.utime(log.beside(".1.gz"), ns=(status.st_atime_ns, status.st_mtime_ns))
    log.write(1)
    assert log.load() == log.everything()


def test_logs_that_begin_with_the_same_line(log):
    def start():
        with log.path.open("a") as file:
            file.write("word=started\n")

    start()
    log.project.ingest(log.spec)
    log.path.rename(log.beside(".1"))
    start()
    log.write(1)
    log.project.ingest(log.spec, accept_schema=True)
    assert sorted(row["word"] for row in log.project.rows()) == ["started", "started", "w1"]


def test_a_line_without_its_end_waits_for_it(log):
    log.write(2)
    log.write(1, end="")
    assert log.load() == [1, 2]
    with log.path.open("a") as file:
        file.write("-and-more\n")
    assert log.load() == [1, 2, 3]
    assert log.project.rows()[-1]["word"] == "w3-and-more" or "w3-and-more" in log.project.column("word")
    log.write(1, end="")
    log.path.rename(log.beside(".1"))
    log.write(1)
    assert log.load() == [1, 2, 3, 5]  # who wrote it may still have it open
    os.utime(log.beside(".1"), (HOUR_AGO, HOUR_AGO))
    assert log.load() == [1, 2, 3, 4, 5]


def test_bad_lines_are_quarantined_with_their_number_and_bytes_of_attackers_do_not_stop_it(log):
    log.write(1)
    with log.path.open("ab") as file:
        file.write(b'no pairs\n\nn=2 word="\xff\xfe"\n')
    log.load()
    assert log.project.column("word") == ["\\xff\\xfe", "w1"]
    assert [(row["row"], row["reasons"]) for row in log.project.quarantined()] == [
        (2, ["the record is not of the format logfmt"])
    ]
    log.path.rename(log.beside(".1"))
    with log.path.open("ab") as file:
        file.write(b"again none\n")
    log.next = 3
    log.write(1)
    log.load()
    assert [row["portion"] for row in log.project.quarantined()] == ["var/app.log", "var/app.log"]


def test_records_of_several_lines(log):
    spec = LogsSource(
        kind="logs",
        path="var/app.log",
        format="pattern",
        pattern=r"%{ISO8601:time} %{LEVEL:level} %{DATA:message}(?:\n%{GREEDYDATA:trace})?",
        starts=r"\d{4}-\d\d-\d\d",
    )
    log.spec = spec
    first = "2024-01-01 10:00:00 ERROR it broke\nTraceback\n  File x\n2024-01-01 10:00:01,5 INFO on\n"
    log.path.write_text(first)
    log.project.ingest(spec)
    (row,) = log.project.rows()
    assert (row["level"], row["message"], row["trace"]) == ("ERROR", "it broke", "Traceback\n  File x")
    with log.path.open("a") as file:
        file.write("  and more\n2024-01-01 10:00:02 WARN last\n  of it\n")
    log.project.ingest(spec)
    assert log.project.column("message") == ["it broke", "on"]
    os.utime(log.path, (HOUR_AGO, HOUR_AGO))
    log.project.ingest(spec)
    assert {row["message"]: row["trace"] for row in log.project.rows()} == {
        "it broke": "Traceback\n  File x", "on": "  and more", "last": "  of it",
    }  # fmt: skip


def test_a_long_log_is_read_in_blocks_and_its_tail_only(tmp_path):
    path = tmp_path / "a.log"
    line = "n={} pad=" + "x" * 80 + "\n"
    path.write_text("".join(line.format(n) for n in range(60_000)))
    reader = LogsReader(LogsSource(kind="logs", path="a.log", format="logfmt"), Place(tmp_path, tmp_path))
    *batches, position = reader.read("")
    assert [number for batch in batches for number in batch.numbers.to_pylist()] == list(range(1, 60_001))
    with path.open("a") as file:
        file.write(line.format("last"))
    batch, second = reader.read(position.cursor)
    assert (batch.numbers.to_pylist(), batch.rows["n"].to_pylist()) == ([60_001], ["last"])
    assert list(reader.read(second.cursor)) == []


def test_the_names_of_rotated_files(tmp_path):
    names = ["a.log", "a.log.1", "a.log.2.gz", "a.log-20240101", "a-20240101.log.xz", "a.log.2024-01-01_10"]
    others = ["a.log.bak", "b.log", "ab.log.1", "a.log.conf", "a-b.log", "a.logs"]
    for name in names + others:
        (tmp_path / name).write_bytes(b"x\n")
    assert sorted(file.name for file in find_log("a.log", tmp_path)) == sorted(names)


def test_rotated_while_it_is_read(log):
    log.write(1)
    (file,) = find_log("var/app.log", log.project.home)
    log.path.rename(log.beside(".1"))
    with pytest.raises(Transient), file.open():
        pass
    log.write(1)
    with pytest.raises(Transient), file.open():
        pass


def test_a_line_without_end(log):
    log.path.write_bytes(b"x" * 6_000_000)
    with pytest.raises(InvalidInput) as caught:
        log.load()
    assert caught.value.code == "row_too_long"


def test_sessions_go_on_over_loads(log):
    sessions = {"user": "user", "gap_minutes": 30}
    log.spec = LogsSource.model_validate({**log.spec.model_dump(), "sessions": sessions})
    steps = [("ann", "10:00"), ("bob", "10:10"), ("ann", "10:29"), ("ann", "10:59"), ("ann", "11:30"), ("bob", "11:00")]
    for number, (user, at) in enumerate(steps):
        with log.path.open("a") as file:
            file.write(f"n={number} user={user} time=2024-01-01T{at}:00Z\n")
        log.project.ingest(log.spec)  # each in a load of its own
    found = {row["n"]: row["session"] for row in log.project.rows()}
    assert found[0] == found[2] == found[3]
    assert len({found[0], found[1], found[4], found[5]}) == 4
    with log.path.open("a") as file:
        file.write("n=9 time=2024-01-01T10:00:00Z\nn=10 user=ann\n")
    log.project.ingest(log.spec)
    assert [row["session"] for row in log.project.rows() if row["n"] in (9, 10)] == [None, None]


def test_sessions_are_the_same_in_one_load(tmp_path):
    (tmp_path / "a.log").write_text(
        "".join(f"user=u{n % 3} time={1_700_000_000 + n * (1 if n < 50 else 1000)}\n" for n in range(60))
    )
    spec = LogsSource.model_validate(
        {"kind": "logs", "path": "a.log", "format": "logfmt", "sessions": {"user": "user"}}
    )
    reader = LogsReader(spec, Place(tmp_path, tmp_path))
    taken = [
        [item.rows["session"].to_pylist() for item in reader.read("") if isinstance(item, Batch)] for _ in range(2)
    ]
    assert taken[0] == taken[1]
    assert len(set(taken[0][0])) == 3 + 10
