"""A model folder that is not whole says which file, and what to do."""

import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.ops.model_files import reading


@pytest.mark.parametrize(
    ("broken", "code", "said"),
    [
        (lambda: {}["texts/idf.npy"], "model_incomplete", "'texts/idf.npy' is missing"),
        (lambda: int("x"), "model_unreadable", "invalid literal"),
    ],
)
def test_what_is_missing_or_damaged_is_told(broken, code, said):
    with pytest.raises(InvalidInput, match=said) as caught, reading("texts/"):
        broken()
    assert (caught.value.code, caught.value.where) == (code, "texts/")
    assert "train" in caught.value.hint


def test_other_failures_are_not_explained_away():
    with pytest.raises(ZeroDivisionError), reading("texts/"):
        _ = 1 / 0
