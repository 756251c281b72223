import errno
from pathlib import Path

from drivetrain.core.errors import Transient
from drivetrain.store.unwritable import unwritable


def test_what_cannot_be_kept_is_said_with_its_place_and_its_cause():
    error = unwritable("the journal", Path("/somewhere"), OSError(errno.ENOSPC, "No space left on device"))
    assert isinstance(error, Transient)
    assert (error.code, error.where) == ("journal_unwritable", "/somewhere")
    assert error.message == "the journal cannot be written: No space left on device"
