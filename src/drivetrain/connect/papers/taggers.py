"""The file of a tagger."""

from __future__ import annotations

from pathlib import Path

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.ops.tagger import Tagger

_LEARN = "`drivetrain documents learn MARKED.jsonl --to FILE` makes one"


def read_tagger(path: Path) -> bytes:
    """What stands in the file of a tagger. Raises NotFound, and InvalidInput for what is none."""
    try:
        content = path.read_bytes()
        Tagger.from_bytes(content)
    except FileNotFoundError:
        raise NotFound("tagger_missing", "there is no such file", where=str(path), hint=_LEARN) from None
    except (ValueError, OSError) as error:
        raise InvalidInput("tagger_invalid", str(error), where=str(path), hint=_LEARN) from error
    return content
