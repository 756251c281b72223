"""The page about the project file is what the classes that parse it say."""

import re
import runpy

import pytest
from tests.house.conftest import ROOT

from drivetrain.core.project import ProjectSpec

PAGE = ROOT / "docs" / "project-file.md"


@pytest.fixture(scope="module")
def render():
    return runpy.run_path(str(ROOT / "docs" / "write_project_file.py"))["render"]


def test_the_page_is_up_to_date(render):
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python docs/write_project_file.py"


def test_every_key_of_the_file_stands_on_the_page():
    schema = ProjectSpec.model_json_schema()
    keys = {key for spec in (schema, *schema["$defs"].values()) for key in spec.get("properties", {})} - {"kind"}
    shown = set(re.findall(r"^\| `([a-z0-9_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert shown == keys
