"""A project folder with data files, the sources that read them, and what stands in the lake afterwards."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers.rest import Service, own_certificate, rest_service

from drivetrain.core.artifacts import Dataset
from drivetrain.core.contract import Contract
from drivetrain.core.sources import SourceSpec
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.ingest import ingest, replay
from drivetrain.store.catalog import Catalog
from drivetrain.store.tables import Table
from drivetrain.testing.readers import ReaderContract

ReaderContract.faults = int(os.environ.get("DRIVETRAIN_FAULTS", "6"))  # 200: some minutes


@dataclass
class Project:
    """A project folder and its catalog."""

    home: Path
    catalog: Catalog

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def append(self, name: str, text: str) -> None:
        with (self.home / name).open("ab") as file:
            file.write(text.encode())

    def ingest(self, spec: SourceSpec, name: str = "people", *, accept_schema: bool = False) -> Dataset:
        dataset = ingest(spec, name, self.catalog, accept_schema=accept_schema)
        self.catalog.put(dataset)
        return dataset

    def replay(self, spec: SourceSpec, name: str = "people") -> Dataset:
        return replay(spec, name, self.catalog)

    def rows(self, name: str = "people") -> list[dict[str, object]]:
        return Table(self.catalog.table_path("datasets", name)).read().to_pylist()

    def column(self, column: str, name: str = "people") -> list[object]:
        """The values of a column, sorted, missing ones last."""
        values = [row[column] for row in self.rows(name)]
        return sorted(values, key=lambda value: (value is None, value if value is not None else 0))

    def quarantined(self, name: str = "people") -> list[dict[str, object]]:
        table = Table(self.catalog.table_path("quarantine", name))
        rows = table.read().to_pylist() if table.exists() else []
        return sorted(rows, key=lambda row: (row["portion"], row["row"]))

    def reasons(self, name: str = "people") -> list[list[str]]:
        return [row["reasons"] for row in self.quarantined(name)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Catalog(tmp_path) as catalog:
        yield Project(tmp_path, catalog)


Source = Callable[..., FilesSource]


@pytest.fixture
def source() -> Source:
    """``source(path, **contract)``: a files source; bad rows are quarantined, however many."""

    def make(path: str, *, options: dict[str, object] | None = None, **contract: object) -> FilesSource:
        rules = Contract.model_validate({"max_bad_share": 1, **contract})
        return FilesSource.model_validate({"kind": "files", "path": path, "contract": rules, **(options or {})})

    return make


@pytest.fixture
def wheel_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, bytes]], Path]:
    """``wheel_index(version, members)`` puts a wheel ``somedata`` where pip finds it; pip uses no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

    def put(version: str, members: dict[str, bytes]) -> Path:
        path, info = folder / f"somedata-{version}-py3-none-any.whl", f"somedata-{version}.dist-info"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: somedata\nVersion: {version}\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return path

    return put


@pytest.fixture
def service() -> Iterator[Service]:
    """A service over HTTP on a free port."""
    with rest_service() as running:
        yield running


@pytest.fixture
def tls_service(tmp_path: Path) -> Iterator[tuple[Service, bytes]]:
    """The same over TLS, and the PEM text of its certificate."""
    certificate = own_certificate(tmp_path / "tls")
    with rest_service(certificate) as running:
        yield running, certificate.read_bytes()
