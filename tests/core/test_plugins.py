import pytest

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.plugins import is_hook, load_hook


def test_hook_is_loaded_from_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    (tmp_path / "my_hook_for_test.py").write_text("def build():\n    return 42\n")
    build = load_hook("my_hook_for_test.py:build", tmp_path)
    assert callable(build)
    assert build() == 42


def test_a_hook_that_was_changed_at_once_and_keeps_its_length_is_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    for number in range(10):
        (tmp_path / "changing_hook.py").write_text(f"NUMBER = {number}\n")
        assert load_hook("changing_hook.py:NUMBER", tmp_path) == number


@pytest.mark.parametrize("path", ["no_such_file.py:build", "json:no_such_name", "json"])
def test_missing_hook_is_named(path, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    with pytest.raises(InvalidInput):
        load_hook(path, tmp_path)


def test_unknown_strategy_is_not_found():
    from drivetrain.core.plugins import load

    with pytest.raises(NotFound, match="no learner is called 'nothing'"):
        load("learners", "nothing")


def test_names_and_hooks_differ():
    assert is_hook("models.py:build")
    assert not is_hook("xgboost")
