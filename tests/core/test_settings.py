from pathlib import Path

from drivetrain.core.settings import Settings


def test_environment_is_read_once():
    assert Settings.read({}) == Settings()
    assert Settings.read({"DRIVETRAIN_ACTOR": "", "DRIVETRAIN_KEYS": ""}) == Settings()
    read = Settings.read({"DRIVETRAIN_ACTOR": "mia", "DRIVETRAIN_KEYS": "/k"})
    assert read == Settings("mia", Path("/k"))
