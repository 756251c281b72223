"""Every error code that the source can raise stands in docs/errors.md, with what to do; and no other."""

import ast
import re
from collections import Counter

from tests.house.conftest import ROOT

from drivetrain.core import errors
from drivetrain.serve import door, sections

FAMILIES = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.DrivetrainError) and name != "MissingExtra"
}
# Made from parts: the findings of prepare/leaks.py, the names of tensors in serve/inference.py, what never became a
# request, and the sections that a path needs.
LEAK = re.compile(r"leak_[a-z_]+")
COMPOSED = {"input_unknown", "output_unknown", *door._CODES.values(), *(lack.code for lack in sections._LACKS.values())}


def codes():
    found = set(COMPOSED)
    for path in (ROOT / "src").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            name = ast.unparse(call.func)
            first = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
            if isinstance(first, str) and (name.rpartition(".")[2] in FAMILIES or name == "super().__init__"):
                found.add(first)
        if "prepare" in path.parts:
            texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
            found |= {text for text in texts if isinstance(text, str) and LEAK.fullmatch(text)}
    return found


def documented():
    lines = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").split("## Codes")[1].splitlines()
    return [re.match(r"\| `([a-z0-9_]+)` \| .+ \| .+ \|$", line)[1] for line in lines if line.startswith("| `")]


def test_every_code_is_documented_and_no_other():
    found, shown = codes(), set(documented())
    assert found - shown == set(), "add these to docs/errors.md"
    assert shown - found == set(), "no code raises these any more"


def test_a_code_stands_once():
    assert [code for code, times in Counter(documented()).items() if times > 1] == []


def test_a_code_is_a_word_that_can_be_searched_for():
    assert [code for code in codes() if not re.fullmatch(r"[a-z][a-z0-9_]{2,40}", code)] == []
