"""The log is told of every kind of mishap, and never drowned in them."""

from drivetrain.serve.mishaps import Mishaps


def test_a_flood_is_told_once_and_then_counted(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("drivetrain.serve.mishaps.time.monotonic", lambda: now[0])
    mishaps = Mishaps()
    for _ in range(1000):
        mishaps.tell(ValueError("broken"))
    assert capsys.readouterr().err.count("ValueError: broken") == 1
    now[0] += 1.5
    mishaps.tell(KeyError("other"))
    said = capsys.readouterr().err
    assert "999 more mishaps were left out" in said
    assert "KeyError: 'other'" in said
