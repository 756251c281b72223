"""What is to be scored: files by path, folder or glob, a Delta table, or a table of the catalog by its ref."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.refs import Kind, Ref
from drivetrain.deliver.parts import ParquetPart, Part, file_part
from drivetrain.store.catalog import Catalog
from drivetrain.store.files.listing import SourceFile, find_files
from drivetrain.store.tables import Table

_TABLES = {Kind.DATASET: "datasets", Kind.FEATURES: "features"}
_REF = re.compile(rf"({'|'.join(Kind)})/[^/]+@\w+")
_VERSIONED = re.compile(r"(?P<path>.+)@(?P<version>\d+)")


@dataclass(frozen=True)
class Input:
    """An input as it is now. ``name`` names it in messages, ``digest`` is the same for the same content.

    ``stem`` is a short name for what is made of it.
    """

    name: str
    stem: str
    parts: tuple[Part, ...]

    @property
    def digest(self) -> str:
        """Of the names and contents of all parts, in their order."""
        return digest_of([(part.name, part.digest) for part in self.parts])

    @property
    def size(self) -> int:
        """Bytes at rest."""
        return sum(part.size for part in self.parts)


def find_input(source: str, catalog: Catalog) -> Input:
    """What ``source`` means: ``dataset/NAME@3`` or ``features/NAME@3``, the path of a Delta table (``PATH@7`` for its
    version 7), or a file, a folder or a glob, counted from the working directory.

    Files are read once, for their SHA-256. Raises NotFound when there is no such thing, InvalidInput when it is not
    one to score.
    """
    if _REF.fullmatch(source):
        return _of_ref(Ref.parse(source), catalog)
    path, version = Path(source), None
    if not path.exists() and (match := _VERSIONED.fullmatch(source)):
        path, version = Path(match["path"]), int(match["version"])
    if path.is_dir() and Table(path).exists():
        return _of_table(path.absolute(), version, str(path))
    files = find_files(str(Path(source).absolute()), "auto", catalog.home)
    return Input(source, _stem(path), tuple(file_part(file, _sha256(file)) for file in files))


def _of_ref(ref: Ref, catalog: Catalog) -> Input:
    if ref.kind not in _TABLES:
        raise InvalidInput(
            "ref_of_other_kind",
            f"{ref} is a {ref.kind}, which holds no rows to score",
            hint="give dataset/NAME@VERSION, features/NAME@VERSION, or files; `drivetrain ls` lists what there is",
        )
    catalog.find(ref)
    name = f"{ref.kind}/{ref.name}"
    return _of_table(catalog.table_path(_TABLES[ref.kind], ref.name), int(ref.version), name)


def _of_table(path: Path, version: int | None, name: str) -> Input:
    table = Table(path)
    version = table.version() if version is None else version
    rows = table.dataset(version)
    label = f"{name}@{version}"
    parts = [_table_part(fragment, rows.schema, label) for fragment in rows.get_fragments()]
    return Input(label, _stem(Path(name)), tuple(sorted(parts, key=lambda part: part.name)))


def _table_part(fragment: ds.ParquetFileFragment, schema: pa.Schema, table: str) -> ParquetPart:
    """A file of a Delta table, which nobody rewrites. What the file lacks is a partition's value, or null."""
    partition = ds.get_partition_keys(fragment.partition_expression)
    constants = {one.name: pa.scalar(partition.get(one.name), one.type) for one in schema}
    size = fragment.filesystem.get_file_info(fragment.path).size
    return ParquetPart(f"{table}/{fragment.path}", size, fragment.path, partial(_open, fragment), constants)


def _open(fragment: ds.ParquetFileFragment) -> pa.NativeFile:
    return fragment.open()


def _stem(path: Path) -> str:
    """A name for a table: of the last part that is no pattern."""
    plain = next((part for part in reversed(path.absolute().parts) if not set("*?[") & set(part)), "")
    return re.sub(r"[^A-Za-z0-9_-]+", "-", plain.partition(".")[0]).strip("-") or "input"


def _sha256(file: SourceFile) -> str:
    try:
        with file.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise NotFound(
            "no_files", f"the file cannot be opened: {error.strerror}", where=file.name, hint="check its permissions"
        ) from error
