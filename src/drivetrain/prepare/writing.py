"""Keeping the feature table: its content has a digest, and what has not changed is not written again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drivetrain.core.digest import FileDigest, canonical_json
from drivetrain.core.refs import Ref
from drivetrain.store.tables import Commit, Table


@dataclass(frozen=True)
class Kept:
    """The version that holds the rows, the digest of their content, and whether the version is new."""

    version: int
    digest: str
    new: bool


def keep(table: Table, rows: pa.Table, sql: tuple[FileDigest, ...], parents: tuple[Ref, ...]) -> Kept:
    """Write ``rows`` as a new version, unless the newest holds them already and was made from the same.

    The digest is of the rows alone, so that what is made from them stays valid when only a comment in the SQL changed;
    the version also stands for the SQL and the dataset versions behind it.
    """
    commit = Commit(canonical_json({"sql": sql, "parents": parents}).decode(), digest_rows(rows), rows.num_rows)
    state = table.state()
    if state is not None and state.commit == commit:
        return Kept(state.version, commit.digest, new=False)
    return Kept(table.overwrite(rows, commit), commit.digest, new=True)


def digest_rows(rows: pa.Table) -> str:
    """SHA-256 over the column names, types, and values in row order.

    Not over the Arrow buffers as they are: what lies under a null, and how rows are cut into chunks, is left to chance.
    """
    digest = hashlib.sha256(canonical_json([(field.name, str(field.type)) for field in rows.schema]))
    digest.update(rows.num_rows.to_bytes(8, "little"))
    for column in rows.columns:
        for part in _bytes(column):
            digest.update(part)
    return digest.hexdigest()


def _bytes(column: pa.ChunkedArray) -> tuple[bytes, ...]:
    """Validity, then values with a fixed one under each null; text as lengths and UTF-8."""
    valid = np.packbits(np.asarray(column.is_valid().to_numpy())).tobytes()
    if pa.types.is_string(column.type):
        values = pc.fill_null(column, "").cast(pa.large_binary())
        lengths = np.asarray(pc.binary_length(values).to_numpy(), dtype="<i8").tobytes()
        return valid, lengths, b"".join(values.to_pylist())
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())
    zero = pa.scalar(0).cast(column.type)
    values = np.asarray(pc.fill_null(column, zero).to_numpy())
    return valid, np.ascontiguousarray(values).tobytes()
