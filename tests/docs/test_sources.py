"""The sources on the pages of the kinds are sources: each parses as it stands there."""

import re

import pytest
import yaml
from pydantic import TypeAdapter
from tests.house.conftest import ROOT

from drivetrain.core.plugins import names
from drivetrain.core.sources import SourceSpec

PAGES = sorted((ROOT / "docs" / "sources").glob("*.md"))
SOURCE = TypeAdapter(SourceSpec)


def sources(page):
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    found = [yaml.safe_load(block) for block in blocks]
    return [source for block in found if isinstance(block, dict) for source in block.get("sources", {}).values()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_sources_of_a_page_parse(page):
    assert sources(page), "a page shows a working example"
    for source in sources(page):
        assert SOURCE.validate_python(source).kind in names("readers")
