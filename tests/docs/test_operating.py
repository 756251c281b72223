"""The tables of docs/operating.md are what the code says; its rules are ones that Prometheus can load."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from pydantic_core import PydanticUndefined
from tests.docs.test_errors import documented
from tests.house.conftest import ROOT

from drivetrain.core.items import RecommendSpec
from drivetrain.core.service import CanarySpec, ReviewSpec, ServiceSpec, TlsSpec
from drivetrain.serve import metrics, page
from drivetrain.serve.counts import EVENTS

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
SPECS = {"": ServiceSpec, "tls.": TlsSpec, "canary.": CanarySpec}
UNSET = {"the project's", "off", "no limit"}
SUFFIXES = {"CounterMetricFamily": "_total", "InfoMetricFamily": "_info"}


def table(heading):
    """The rows under a heading, without the header of the table."""
    _, _, after = PAGE.partition(f"\n## {heading}\n")
    rows = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def settings():
    return {row[0].strip("`"): row[1] for row in table("Settings")}


def test_every_setting_stands_in_the_table_and_no_other():
    assert set(settings()) == {prefix + name for prefix, spec in SPECS.items() for name in spec.model_fields}


@pytest.mark.parametrize(
    ("name", "default"),
    [(prefix + name, field.default) for prefix, spec in SPECS.items() for name, field in spec.model_fields.items()],
)
def test_a_setting_has_the_default_that_the_table_says(name, default):
    said = settings()[name]
    if default is PydanticUndefined:
        assert said == "required"
    elif default is None:
        assert said in UNSET
    elif isinstance(default, int | float):
        assert float(said.replace(",", "")) == default
    else:
        assert said == {
            (): "none",
            CanarySpec(): "its defaults",
            RecommendSpec(): "its defaults",
            ReviewSpec(): "its defaults",
        }.get(default, default)


def exposed():
    """Every metric of the server by the name that Prometheus sees, with its meaning."""
    found = {f"drivetrain_{event}_total": meaning for event, meaning in EVENTS.items()}
    for module in (metrics, page):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        texts = {
            node.targets[0].id: node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and len(node.args) >= 2):
            name, meaning = call.args[:2]
            if isinstance(name, ast.Constant) and str(name.value).startswith("drivetrain_"):
                said = meaning.value if isinstance(meaning, ast.Constant) else texts[meaning.id]
                found[name.value + SUFFIXES.get(ast.unparse(call.func), "")] = said
    return found


def test_every_metric_stands_in_the_table_with_its_meaning_and_no_other():
    assert {row[0].strip("`"): row[2] for row in table("Metrics")} == exposed()


def test_what_the_scan_of_the_source_finds_is_what_comes_out():
    view = metrics.ServiceView("loans", "release/loans@1", metrics.Counts())
    names = set(re.findall(r"^# HELP (\S+)", metrics.render([view]).decode(), re.MULTILINE))
    assert names <= set(exposed())
    assert len(names) > len(EVENTS)


def test_every_alert_asks_for_a_metric_that_there_is():
    rules, *more = [found for block in yaml_blocks() for found in block.get("groups", [])]
    assert not more
    expressions = [rule["expr"] for rule in rules["rules"]]
    assert len(expressions) >= 6
    asked = {name for expression in expressions for name in re.findall(r"drivetrain_\w+", expression)}
    assert asked - {"drivetrain_request_seconds_bucket"} <= set(exposed())


def yaml_blocks():
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def test_the_yaml_for_the_project_file_is_taken():
    (service,) = [block["service"] for block in yaml_blocks() if "service" in block]
    assert ServiceSpec.model_validate(service).tls is not None


def test_every_code_that_the_page_names_is_explained():
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", " ".join(row[1] for row in table("Limits, and what a caller sees"))))
    assert len(named) >= 12
    assert named <= set(documented())
