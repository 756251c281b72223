"""Reading what a model folder holds, and saying so when it is not all there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from drivetrain.core.errors import InvalidInput

_HINT = "train the model again"


@contextmanager
def reading(where: str) -> Iterator[None]:
    """While the block looks files up by name and decodes them. Raises InvalidInput for one missing or damaged."""
    try:
        yield
    except KeyError as error:
        raise InvalidInput("model_incomplete", f"{error} is missing", where=where, hint=_HINT) from error
    except (ValueError, msgspec.DecodeError) as error:
        raise InvalidInput("model_unreadable", str(error), where=where, hint=_HINT) from error
