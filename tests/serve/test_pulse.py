"""Signs of life that another process sees."""

from __future__ import annotations

import os
from pathlib import Path

from drivetrain.serve.pulse import Pulse


def test_a_sign_of_life_and_the_release_that_is_scored_with_are_seen_by_another_process() -> None:
    seen = Pulse()
    assert (seen.silent_seconds > 60, seen.scoring) == (True, 0)
    if os.fork() == 0:
        worker = Pulse(seen.handle)
        worker.beat()
        worker.score_with(7)
        os._exit(0)
    os.wait()
    assert seen.silent_seconds < 60
    assert seen.scoring == 7
    seen.close()


def test_a_pulse_is_memory_and_no_file() -> None:
    """A page of a file is written to a disk again and again, and whoever beats meanwhile waits for the disk."""
    pulse = Pulse()
    assert str(Path(f"/proc/self/fd/{pulse.handle}").readlink()).startswith("/memfd:")
    pulse.close()
