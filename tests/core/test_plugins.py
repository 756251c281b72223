import pytest

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.core.plugins import is_hook, load_hook


def test_hook_is_loaded_from_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    (tmp_path / "my_hook_for_test.py").write_text("def build():\n    return 42\n")
    build = load_hook("my_hook_for_test.py:build", tmp_path)
    assert callable(build)
    assert build() == 42


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
