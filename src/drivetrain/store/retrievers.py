"""The retrievers that ``prepare`` fitted, by the digest of their files; ``train`` puts them into the Model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from drivetrain.core.artifacts import Features
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import NotFound
from drivetrain.store.catalog import Catalog
from drivetrain.store.folders import digests, read_folder, write_folder
from drivetrain.store.models import ITEMS


def keep_retriever(catalog: Catalog, files: Mapping[str, bytes]) -> str:
    """Write the files of a retriever, unless they are there. Gives their digest."""
    digest = digest_of(digests(files))
    if not _folder(catalog, digest).exists():
        write_folder(_folder(catalog, digest), files)
    return digest


def retriever_files(catalog: Catalog, features: Features) -> dict[str, bytes]:
    """The files of the retriever of a feature table as they lie in a Model; none where there is none.

    Raises NotFound when they were deleted.
    """
    if not features.retriever:
        return {}
    folder = _folder(catalog, features.retriever)
    if not folder.exists():
        raise NotFound(
            "retriever_missing",
            f"the retriever of {features.ref} is no longer there",
            where=str(folder),
            hint="change a comment in the SQL of `features.items` and run `drivetrain prepare`",
        )
    return {ITEMS + name: content for name, content in read_folder(folder).items()}


def _folder(catalog: Catalog, digest: str) -> Path:
    return catalog.state / "retrievers" / digest[:16]
