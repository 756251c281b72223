from drivetrain.core.errors import InvalidInput, MissingExtra, examples


def test_error_says_what_where_and_what_next():
    error = InvalidInput("code", "it broke", where="a.yaml:3", hint="mend it")
    assert str(error) == "a.yaml:3: it broke [code]\n  -> mend it"


def test_missing_extra_gives_the_install_line():
    assert "pip install 'drivetrain[train]'" in str(MissingExtra("optuna", "train"))


def test_lists_are_bounded():
    assert examples(range(9)) == "0, 1, 2, 3, 4 and 4 more"
    assert examples(["a"]) == "a"
