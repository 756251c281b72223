import pytest

from drivetrain.core.errors import InvalidInput
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project


def test_new_project_can_be_signed_and_approved_at_once(tmp_path):
    project = create_project(tmp_path / "my-risk", "risk", Settings())
    assert project.spec.project == "my-risk"
    assert project.signer("release").actor.name == "ml-engineer"
    assert project.signer("approve").actor.name == "ai-engineer"
    assert ".drivetrain/" in (project.home / ".gitignore").read_text()
    project.catalog.close()


@pytest.mark.parametrize("name", ["1st", "a b", "-x", "ü"])
def test_unusable_name_is_refused_before_anything_is_written(name, tmp_path):
    with pytest.raises(InvalidInput, match="cannot be the name"):
        create_project(tmp_path / name, "risk", Settings())
    assert list(tmp_path.iterdir()) == []
