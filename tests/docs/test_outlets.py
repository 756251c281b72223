"""The outlets on the pages of the kinds are outlets: each parses as it stands there."""

import re

import pytest
import yaml
from pydantic import TypeAdapter
from tests.house.conftest import ROOT

from drivetrain.core.outlets import OutletSpec
from drivetrain.core.plugins import names

PAGES = sorted((ROOT / "docs" / "outlets").glob("*.md"))
OUTLET = TypeAdapter(OutletSpec)


def outlets(page):
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks]
    return [outlet for block in found if isinstance(block, dict) for outlet in block.get("outlets", {}).values()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_outlets_of_a_page_parse(page):
    assert outlets(page), "a page shows a working example"
    for outlet in outlets(page):
        assert OUTLET.validate_python(outlet).kind in names("outlets")


def test_every_kind_has_its_row_and_its_page():
    text = (ROOT / "docs" / "outlets" / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\]\(([\w-]+\.md)\) \|$", text, re.MULTILINE))
    assert set(rows) == set(names("outlets"))
    assert {page.name for page in PAGES} - {"README.md"} == set(rows.values())
