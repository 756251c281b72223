"""A ZIP archive as a compression: the one file that it holds."""

from __future__ import annotations

import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from drivetrain.core.errors import InvalidInput, examples

_WORKBOOK = ("[Content_Types].xml", "mimetype")
_ENCRYPTED = 0x1


def only_member(name: str, file: BinaryIO, *, must: bool) -> tuple[str, BinaryIO] | None:
    """The name and content of the file inside; None for a workbook, and for what only begins like an archive.

    Raises InvalidInput for an archive of no file or several, with a password, or (if it ``must`` be one) damaged.
    """
    try:
        archive = zipfile.ZipFile(file)
        members = [member for member in archive.infolist() if _counts(member)]
        if any(member.filename in _WORKBOOK for member in members):
            file.seek(0)
            return None
        if len(members) != 1:
            inside = examples([member.filename for member in members])
            raise _unreadable(name, f"it holds {len(members)} files ({inside})", "unpack it into a folder")
        if members[0].flag_bits & _ENCRYPTED:
            raise _unreadable(name, "it is locked with a password", "unpack it first")
        return members[0].filename, cast(BinaryIO, archive.open(members[0]))
    except NotImplementedError as error:
        raise _unreadable(name, str(error), "pack it with deflate, bzip2 or lzma") from error
    except (zipfile.BadZipFile, OSError) as error:
        if must:
            raise _unreadable(name, f"it is damaged ({error})", "fetch or make the file again") from error
        file.seek(0)
        return None


def _counts(member: zipfile.ZipInfo) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(member.filename).parts)
    return not member.is_dir() and not hidden


def _unreadable(name: str, why: str, cure: str) -> InvalidInput:
    return InvalidInput("zip_unreadable", f"the archive cannot be read as one file: {why}", where=name, hint=cure)
