from __future__ import annotations

import html
import json
import re
from dataclasses import replace

import pytest

from drivetrain.core.model import DecisionRule
from drivetrain.core.project import Bound, CardSpec, FairnessGate, GatesSpec, SliceGate
from drivetrain.validate.validate import validate
from drivetrain.validate.words import rule_words

SPEC = GatesSpec(
    roc_auc=Bound(min=0.99),
    calibration=Bound(max=0.05),
    fairness=(FairnessGate(column="age", cuts=(45,), max=0.5),),
    slices=SliceGate(min_rows=200),
    card=CardSpec(purpose="Find late loans.", users="Credit officers.", limits=("Not for <firms>.",)),
)


@pytest.fixture(scope="module")
def page(world) -> str:
    report = validate(SPEC, "risk", world.model(), world.features, None, world.catalog)
    return (world.catalog.folder(report.ref) / "report.html").read_text()


def test_the_card_has_every_chapter_a_reader_looks_for(page):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == [
        "Purpose", "Gates", "Performance", "Calibration", "Fairness", "Weakest slices", "Robustness", "Data",
        "How it was trained", "Limits of use", "Lineage",
    ]  # fmt: skip


def test_the_card_draws_the_curves(page):
    (figures,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert titles == ["ROC", "Precision and recall", "Calibration", "Cost of a decision", "Equal opportunity by age",
                      "The weakest slices"]  # fmt: skip
    assert len(json.loads(figures)) == len(titles)
    assert all(len(trace["x"]) > 1 for figure in json.loads(figures) for trace in figure["data"])
    assert "threshold 0.25" in figures


def test_what_a_person_wrote_stands_in_it_as_text(page):
    assert "Find late loans." in page
    assert "Credit officers." in page
    assert html.escape("Not for <firms>.") in page


def test_what_failed_is_a_limit_of_use(page):
    limits = page[page.index("Limits of use</h2>") : page.index("Lineage</h2>")]
    assert "It did not pass roc_auc" in limits


def test_the_decision_rule_is_put_in_words(page):
    assert "A score of 0.25 or more is flagged" in page
    assert "a false alarm costs 1 and a miss 3" in page


def test_every_gate_is_listed_with_its_interval(page):
    gates = page[page.index("Gates</h2>") : page.index("Performance</h2>")]
    assert gates.count('class="mark') == 11
    assert re.search(r"roc_auc.*?0\.83\d+.*?0\.\d+ to 0\.\d+.*?at least 0\.99", gates, re.DOTALL)


def test_the_ranges_seen_in_training_are_told(page):
    assert "<td>north, east, south</td>" in page
    assert "18 to 90" in page
    assert "2001-09-09 to 2011-03-13" in page


def _card(world, **gates) -> str:
    report = validate(GatesSpec(**gates), "parcels", world.model(), world.features, None, world.catalog)
    return (world.catalog.folder(report.ref) / "report.html").read_text()


def test_the_card_of_classes_says_what_is_taken_for_what_and_who_gets_the_rest(carriers):
    page = _card(carriers, accuracy=Bound(min=0.5))
    assert "the likeliest of 3 classes" in page
    assert "An answer of a probability below 0.6 goes to a person." in page
    assert "gives a person the least sure 10.00% of the cases" in page
    for title in ("Class by class", "What is taken for what", "The commonest mistakes", "Handing over"):
        assert title in page
    assert "share true" not in page


def test_the_card_of_a_number_says_how_far_off_it_may_be(days):
    page = _card(days, coverage=Bound(min=0.5))
    assert "with an interval that is to hold 90% of the truths" in page
    assert "An estimate of 8 or more is flagged. This limit is a number that somebody decided." in page
    for title in ("Estimates and truths", "Errors by the size of the estimate", "Small and large estimates"):
        assert title in page
    assert "share true" not in page


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (DecisionRule("none", 0.0), "Every answer is given"),
        (DecisionRule("hand_over", 0.9, 10, 1), "when a wrong answer costs 10 and a person 1"),
        (DecisionRule("threshold", 0.7), "below 0.7 goes to a person. This threshold is a number"),
    ],
)
def test_rules_of_classes_are_put_in_words(carriers, rule, said):
    content = carriers.evidence(GatesSpec(), carriers.model()).content
    assert said in rule_words(replace(content, decision=rule))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (DecisionRule("none", 0.0), "Nothing is decided"),
        (DecisionRule("limit", 1500.0, below=True), "An estimate of 1,500 or less is flagged"),
        (DecisionRule("capacity", 7.5, capacity=0.1), "flags as many cases as can be looked at, 10.00%"),
    ],
)
def test_rules_of_numbers_are_put_in_words(days, rule, said):
    content = days.evidence(GatesSpec(), days.model()).content
    assert said in rule_words(replace(content, decision=rule))
