"""JSON into typed values: what msgspec makes of it, and the crash that it had between threads."""

import subprocess
import sys
from dataclasses import dataclass

import msgspec
import pytest

from drivetrain.core.decoding import read_json

_MANY_THREADS = """
import sys, threading
from dataclasses import make_dataclass
from drivetrain.core.decoding import read_json

sys.setswitchinterval(1e-6)
part = b'{"a":1,"b":2,"c":null}'
for number in range(300):
    inner = make_dataclass(f"Inner{number}", [(name, "float | None") for name in "abc"])
    outer = make_dataclass(f"Outer{number}", [("several", tuple[inner, ...]), ("one", inner)])
    together = threading.Barrier(4)

    def read():
        together.wait()
        assert read_json(b'{"several":[%b],"one":%b}' % (part, part), outer).one == inner(1.0, 2.0, None)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


def test_values_of_a_type() -> None:
    assert read_json(b'{"x": 3}', Point) == Point(3)
    assert read_json('[{"x": 3}]', list[Point]) == [Point(3)]
    with pytest.raises(msgspec.DecodeError):
        read_json(b'{"x": "three"}', Point)


def test_threads_that_meet_a_class_for_the_first_time_together() -> None:
    """With ``msgspec.json.decode`` in the place of ``read_json`` this is a segmentation fault in 300 rounds."""
    done = subprocess.run([sys.executable, "-c", _MANY_THREADS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
