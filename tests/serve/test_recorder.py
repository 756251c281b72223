"""The process that moves a journal into the lake, here without the process."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivetrain.serve import recorder
from drivetrain.serve.loading import LoadedRelease
from drivetrain.serve.recorder import Recording
from drivetrain.serve.settings import ServiceSettings, to_json
from drivetrain.store.catalog import Catalog
from drivetrain.store.segments import PredictionLog
from drivetrain.store.tables import Table
from drivetrain.testing.graphs import TYPICAL

from .conftest import OTHER, SERVICE, until

SETTINGS = ServiceSettings(Path(), SERVICE)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path) as opened:
        yield opened


@pytest.fixture
def ended() -> Iterator[int]:
    """A pipe that nobody writes to any more."""
    reading, writing = os.pipe()
    os.close(writing)
    yield reading
    os.close(reading)


@pytest.fixture
def write(catalog: Catalog, loaded: LoadedRelease) -> Iterator[Callable[[str], None]]:
    log = PredictionLog(catalog.journal_path(SERVICE), loaded.ref, loaded.signature)

    def append(name: str) -> None:
        records = np.zeros(1, log.dtype)
        records["id"], records["row"], records["caller"] = name.encode(), TYPICAL, log.caller("shop")
        log.append(records)

    yield append
    log.close()


def renew() -> None:
    """Go on as the same process."""


def ids(catalog: Catalog) -> list[str]:
    return Table(catalog.table_path("predictions", SERVICE)).read(columns=["prediction_id"]).column(0).to_pylist()


def test_it_rolls_at_once_and_ends_with_its_server(catalog: Catalog, ended: int, write: Callable[[str], None]) -> None:
    write("p1")
    recorder.record([Recording(SETTINGS, catalog)], 1000, ended, renew)
    assert ids(catalog) == ["p1"]


def test_a_damaged_journal_does_not_end_it(
    catalog: Catalog, ended: int, write: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    write("p1")
    damaged = catalog.journal_path(SERVICE) / "predictions-0"
    damaged.write_bytes(b"JFIF\n")
    recorder.record([Recording(SETTINGS, catalog)], 1000, ended, renew)
    assert ids(catalog) == ["p1"]
    assert str(damaged) in capfd.readouterr().err


def test_every_service_is_recorded_whatever_is_wrong_with_another(
    catalog: Catalog, ended: int, write: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    write("p1")
    damaged = catalog.journal_path(OTHER)
    damaged.mkdir(parents=True)
    (damaged / "predictions-0").write_bytes(b"JFIF\n")
    others = Recording(ServiceSettings(Path(), OTHER), catalog), Recording(ServiceSettings(Path(), "none"), catalog)
    recorder.record([*others, Recording(SETTINGS, catalog)], 1000, ended, renew)
    assert ids(catalog) == ["p1"]
    assert "journal_damaged" in capfd.readouterr().err


def test_many_small_files_become_one(
    catalog: Catalog, ended: int, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "COMPACT_EVERY", 3)
    recording = Recording(SETTINGS, catalog)
    for name in ("p1", "p2", "p3"):
        write(name)
        recording.step()
    assert recording.is_compacting
    until(recording.step, seconds=60)
    assert not recording.is_compacting
    assert sorted(ids(catalog)) == ["p1", "p2", "p3"]
    assert len(Table(catalog.table_path("predictions", SERVICE)).dataset().files) == 1


def test_it_records_beside_a_compaction_and_ends_it_with_itself(
    catalog: Catalog, ended: int, write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "COMPACT_EVERY", 1)
    recording = Recording(SETTINGS, catalog)
    write("p1")
    recording.step()
    write("p2")
    recorder.record([recording], 1000, ended, renew)
    assert sorted(ids(catalog)) == ["p1", "p2"]


def test_it_starts_itself_anew_after_a_compaction_and_goes_on(
    catalog: Catalog, tmp_path: Path, write: Callable[[str], None]
) -> None:
    write("p1")
    settings = to_json((replace(SETTINGS, home=tmp_path, roll_seconds=0.05),))
    begun = tmp_path / "begun"
    script = (
        "import drivetrain.serve.recorder as recorder; recorder.COMPACT_EVERY = 1; "
        f"open({str(begun)!r}, 'a').write('begun\\n'); recorder.main()"
    )
    with subprocess.Popen([sys.executable, "-c", script, settings], stdin=subprocess.PIPE) as process:
        until(lambda: begun.exists() and len(begun.read_text().splitlines()) == 2, seconds=60)
        write("p2")
        until(lambda: sorted(ids(catalog)) == ["p1", "p2"])
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 5
        until(lambda: len(begun.read_text().splitlines()) == 3, seconds=60)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
