"""The pack `recommend`, from the order lines of the wheel to its floors."""

import pytest

from drivetrain.core.artifacts import Features, Report
from drivetrain.core.settings import Settings
from drivetrain.engine.create import create_project


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_reaches_its_floors_on_the_last_basket_of_each_customer(tmp_path):
    project = create_project(tmp_path, "recommend", Settings(), name="shop")
    project.run("validate")
    report = project.catalog.latest(Report, "shop")
    assert report.verdict == "pass"
    found = {gate.gate: gate.measured for gate in report.gates}
    assert (found["ranking:customer"].rows, found["ranking:customer/is_new"].rows) == (4_232, 3_737)
    assert found["ranking:customer"].value >= 0.25
    assert found["ranking:customer/is_new"].value >= 0.075
    assert {part.part: part.rows for part in project.catalog.latest(Features, "shop").parts}["test"] > 200_000
