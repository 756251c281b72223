"""Tables on the pages that say again what the code says."""

import re

import pytest
from tests.house.conftest import ROOT

from drivetrain.access.policy import RULES
from drivetrain.access.scopes import SCOPES
from drivetrain.cli import exits
from drivetrain.core.roles import Role


def cells(page):
    rows = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_the_exit_codes_are_those_of_the_command_line():
    shown = {cells[1].strip("`"): int(cells[0]) for cells in cells("docs/errors.md") if cells[0].isdigit()}
    plain = ("OK", "UNEXPECTED", "USAGE", "STALE", "DRIFTED", "OUT_OF_BOUNDS", "NOT_LIVE", "ALARMED", "INTERRUPTED")
    families = {family.__name__: code for family, code in exits._CODES.items()}
    assert shown == {**{name: getattr(exits, name) for name in plain}, **families}


@pytest.mark.parametrize(("column", "role"), [*enumerate(Role, start=1)])
def test_who_may_do_what_is_the_policy(column, role):
    table = cells("docs/rooms/access.md")
    assert table[0][column] == role
    shown = {
        action.strip().replace(" ", "_") for row in table[1:] if row[column] == "yes" for action in row[0].split(",")
    }
    assert shown == {action for action, rule in RULES.items() if role in rule.roles}


def test_what_a_key_may_be_good_for_is_what_there_is():
    page = (ROOT / "docs/rooms/access.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^- `(\w+)`: (.+)$", page, re.MULTILINE)) == SCOPES


def test_the_gates_on_the_page_are_the_gates_there_are():
    from drivetrain.core.plugins import names

    shown = {name for row in cells("docs/rooms/validate.md")[1:] for name in re.findall(r"`(\w+)`", row[0])}
    assert shown == set(names("gates"))


@pytest.mark.parametrize("page", sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")))
def test_every_row_stands_in_a_table(page):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    assert [table for table in tables if not re.match(r"\|.*\n\|[|: -]+\n", table)] == []
