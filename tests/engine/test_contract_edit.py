"""A project file is changed where it must be, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import PROJECT

from drivetrain.core.changes import SourceChange
from drivetrain.core.parse import parse_project
from drivetrain.engine.contract_edit import clashes, edit_contract

BLOCKS = """\
        age:  # years
          type: integer
          nullable: false

          # at least of age
          min: 18
        # not always known
        income: {type: number, min: 0}
"""
TEXT = PROJECT.replace(
    "        age: {type: integer, nullable: false, min: 18, max: 120}\n        income: {type: number, min: 0}\n", BLOCKS
)
DROPPED, RETYPED = SourceChange("dropped", "age", "integer"), SourceChange("retyped", "age", "integer", "number")


def edit(text, *changes):
    return edit_contract(text, "loans", changes, "drivetrain.yaml")


def contract(text):
    return parse_project(text).sources["loans"].contract


def test_a_rule_of_several_lines_goes_and_the_comments_around_it_stay():
    found = edit(TEXT, DROPPED)
    assert found.text == TEXT.replace(BLOCKS, BLOCKS.partition("          min: 18\n")[2])
    assert "age" not in contract(found.text).columns
    assert "# not always known" in found.text


def test_a_type_is_changed_in_its_place():
    found = edit(TEXT, RETYPED)
    assert found.text == TEXT.replace("          type: integer\n", "          type: number\n", 1)
    assert found.diff.splitlines()[3:6] == [
        "         age:  # years",
        "-          type: integer",
        "+          type: number",
    ]
    assert str(contract(edit(PROJECT, RETYPED).text).columns["age"].type) == "number"


def test_several_changes_at_once():
    found = edit(TEXT, RETYPED, SourceChange("dropped", "income", "number"))
    assert "income" not in contract(found.text).columns
    assert str(contract(found.text).columns["age"].type) == "number"


@pytest.mark.parametrize(
    ("text", "change"),
    [
        pytest.param(TEXT, SourceChange("dropped", "id", "integer"), id="a column of the key"),
        pytest.param(TEXT, SourceChange("dropped", "no_such", "text"), id="no rule of it"),
        pytest.param(
            PROJECT.partition("      columns:")[0]
            + "      columns: {id: {type: integer}, age: {type: integer}}\n"
            + "features:" + PROJECT.partition("features:")[2],
            DROPPED,
            id="all in one line",
        ),
        pytest.param(TEXT, SourceChange("retyped", "home", "text", "no type"), id="a type that is none"),
    ],
)  # fmt: skip
def test_what_a_person_has_to_do(text, change):
    assert edit(text, change) is None


def test_what_clashes_with_a_contract():
    rules = contract(TEXT)
    fine = (
        SourceChange("new", "age", new="text"),
        SourceChange("dropped", "phone", "text"),
        SourceChange("volume", ""),
    )
    assert clashes(rules, (*fine, DROPPED, RETYPED)) == (DROPPED, RETYPED)
    assert clashes(rules, (SourceChange("retyped", "age", "text", "integer"),)) == ()


@settings(max_examples=20)
@given(st.sampled_from(["age", "income", "home", "late"]), st.text("# é\n", max_size=6), st.booleans())
def test_every_line_but_those_of_the_column_stays(column, noise, dropped):
    comment = "".join(f"        # {part}\n" for part in noise.splitlines())
    text = TEXT.replace("        home:", f"{comment}        home:")
    change = SourceChange("dropped", column, "x") if dropped else SourceChange("retyped", column, "x", "boolean")
    found = edit(text, change)
    if found is None:  # a minimum of a text: the contract would not be one
        return
    gone = [line for line in found.diff.splitlines()[3:] if line.startswith("-")]
    added = [line for line in found.diff.splitlines()[3:] if line.startswith("+")]
    assert all(column in line or "type:" in line or dropped for line in gone)
    assert len(added) == (0 if dropped else 1)
    assert [line for line in text.splitlines() if "# " in line and "least" not in line and "years" not in line] == [
        line for line in found.text.splitlines() if "# " in line and "least" not in line and "years" not in line
    ]
