"""From a source whose path has a scheme to its files."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing

from drivetrain.connect.afar.address import parse_address
from drivetrain.connect.afar.buckets import Bucket
from drivetrain.connect.afar.sftp import SftpServer
from drivetrain.connect.afar.store import Store
from drivetrain.connect.afar.web import WebServer
from drivetrain.connect.place import Place
from drivetrain.core.sources.documents import DocumentsSource
from drivetrain.core.sources.files import FilesSource
from drivetrain.ingest.afar.listing import FarFiles


def open_afar(spec: FilesSource | DocumentsSource, place: Place) -> AbstractContextManager[FarFiles]:
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
