"""Every kind of source has a row on the page of the sources, and the page that the row names is there."""

import re
from pathlib import Path
from typing import get_args

from drivetrain.core.sources import SourceSpec

PAGES = Path(__file__).parents[2] / "docs" / "sources"


def test_every_kind_has_its_row_and_its_page():
    text = (PAGES / "README.md").read_text()
    union, _ = get_args(SourceSpec)
    kinds = {get_args(spec.model_fields["kind"].annotation)[0] for spec in get_args(union)}
    assert kinds == set(re.findall(r"^\| `(\w+)`", text.split("## In five minutes")[0], re.MULTILINE))
    linked = re.findall(r"\]\(((?:\.\./)?[\w-]+\.md)", text)
    assert all((PAGES / page).exists() for page in linked)
    assert {page.name for page in PAGES.glob("*.md")} - {"README.md"} <= set(linked)
