"""What a source holds now, told cheaply: enough to know that nothing is new. Loads no data library."""

from __future__ import annotations

import time
from pathlib import Path

from drivetrain.core.digest import digest_of
from drivetrain.core.sources import SourceSpec
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.core.sources.files import FilesSource, WheelSource
from drivetrain.core.sources.lakes import DeltaSource, IcebergSource
from drivetrain.store.files.listing import find_files


def fingerprint(spec: SourceSpec, home: Path) -> str:
    """A digest (64 hexadecimal digits) that changes when the source has something new.

    Files count by name, size and time of change; a table of a lake by its commits; a wheel by the SHA-256 that
    the project file promises. What lies elsewhere has to be asked: its fingerprint is always another. Raises NotFound
    when there are no files.
    """
    if isinstance(spec, FilesSource | DocumentsSource) and not spec.is_afar:
        files = find_files(spec.path, spec.format, home)
        return digest_of([(file.name, file.size, file.mtime_ns) for file in files])
    if isinstance(spec, DeltaSource) and not spec.is_afar:
        commits = (home / spec.path / "_delta_log").glob("*.json")
        return digest_of(spec.version, [(file.name, file.stat().st_mtime_ns) for file in sorted(commits)[-1:]])
    if isinstance(spec, IcebergSource) and not spec.is_afar:
        metadata = (home / (spec.path or "") / "metadata").glob("*.metadata.json*")
        told = spec.model_dump(mode="json", exclude={"contract"})
        return digest_of(told, [(file.name, file.stat().st_mtime_ns) for file in sorted(metadata)])
    if isinstance(spec, WheelSource):
        return digest_of(spec.member, spec.sha256)
    return digest_of(spec.kind, time.time_ns())
