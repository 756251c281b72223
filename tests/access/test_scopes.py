"""What a key is good for, and what is said to whoever asks for more."""

from typing import get_args

from drivetrain.access.scopes import EVERYTHING, SCOPES, OutOfScope, Scope


def test_every_scope_says_what_it_opens():
    assert set(SCOPES) == set(get_args(Scope)) == EVERYTHING
    assert all(SCOPES.values())


def test_who_asks_for_more_is_told_which_scope_it_takes():
    error = OutOfScope("widget", "predict")
    assert (error.code, error.where) == ("key_out_of_scope", "predict")
    assert "widget is not good for predict" in error.message
    assert "--only predict" in error.hint
