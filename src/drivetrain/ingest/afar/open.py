"""From a source whose path has a scheme to its files."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing

from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.afar.address import parse_address
from drivetrain.ingest.afar.buckets import Bucket
from drivetrain.ingest.afar.listing import FarFiles
from drivetrain.ingest.afar.sftp import SftpServer
from drivetrain.ingest.afar.store import Store
from drivetrain.ingest.afar.web import WebServer
from drivetrain.ingest.reading import Place


def open_afar(spec: FilesSource, place: Place) -> AbstractContextManager[FarFiles]:
    """The files that the source means, afar; closed after the block. Connects to nothing before they are asked for."""
    address, storage = parse_address(spec.path), spec.storage

    def connect() -> Store:
        if address.scheme == "sftp":
            return SftpServer(address, storage, place.secrets, place.home)
        if address.scheme in ("http", "https"):
            return WebServer(address, storage, place.secrets)
        return Bucket(address, storage, place.secrets)

    files = FarFiles(address, spec.format, connect, cache=place.cache, patience_seconds=storage.patience_seconds)
    return closing(files)
