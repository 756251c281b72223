from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivetrain.store.pages import Bars, Card, Cards, Chart, Guide, Line, Mark, Table, Text, render_page, show_number

ROC = Chart(
    "ROC", (Line("model", (0, 0.2, 1), (0, 0.8, 1)), Line("champion", (0, 1), (0, 1))), x="FPR", y="TPR", diagonal=True
)
SLICES = Chart(
    "Slices",
    (Bars("roc_auc", ("age < 30", "all"), (0.7, 0.9), low=(0.6, 0.88), high=(0.75, 0.91)),),
    guides=(Guide("x", 0.75, "least"),),
    sideways=True,
)


def _figures(page: bytes) -> list[dict]:
    (found,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', page.decode(), re.DOTALL)
    return json.loads(found)


def test_the_same_blocks_give_the_same_bytes():
    blocks = (Text("One", ("words",)), ROC, SLICES)
    assert render_page("t", "s", blocks) == render_page("t", "s", blocks)


def test_a_page_asks_nobody_for_anything():
    page = render_page("t", "s", (ROC,)).decode()
    head = page.partition("<script>")[0]
    assert "default-src 'none'" in head
    assert not re.findall(r'(?:src|href)="(?!#)', page.partition("<script>")[0] + page.rpartition("</script>")[2])
    assert page.count("* plotly.js v") == 1


def test_charts_keep_their_numbers_and_lie_sideways_when_told():
    roc, slices = _figures(render_page("t", "s", (ROC, SLICES)))
    assert [trace["name"] for trace in roc["data"]] == ["model", "champion"]
    assert roc["data"][0]["y"] == [0, 0.8, 1]
    assert len(roc["layout"]["shapes"]) == 1
    (bars,) = slices["data"]
    assert (bars["orientation"], bars["y"], bars["x"]) == ("h", ["age < 30", "all"], [0.7, 0.9])
    assert bars["error_x"]["arrayminus"] == pytest.approx([0.1, 0.02])
    assert slices["layout"]["annotations"][0]["text"] == "least"


def test_every_chart_has_its_own_place_in_the_page():
    page = render_page("t", "s", (ROC, Text("between"), SLICES, ROC)).decode()
    assert re.findall(r'id="(chart-\d)"', page) == ["chart-0", "chart-1", "chart-2"]


def test_a_verdict_is_not_told_by_colour_alone():
    table = Table("Gates", ("gate", "verdict", "value"), (("auc", Mark("bad", "fail"), 0.71234),))
    page = render_page("t", "s", (table, Cards((Card("Verdict", "fail", "1 gate", "bad"),)))).decode()
    assert '<span class="mark bad">fail</span>' in page
    assert '.mark.bad::before, .card.bad .value::before { content: "\\2717' in page
    assert '<td class="number">0.7123</td>' in page


def test_a_page_without_charts_carries_no_script():
    assert b"<script" not in render_page("t", "s", (Text("x"), Table("empty", ("a",), ())))


def test_titled_texts_are_the_contents():
    page = render_page("t", "s", (Text("One"), Text("", ("p",)), Text("Two"), Text("Three", points=("a",)))).decode()
    assert re.findall(r'<li><a href="#(.*?)">(.*?)</a>', page) == [
        ("section-1", "One"),
        ("section-2", "Two"),
        ("section-3", "Three"),
    ]
    assert page.index('id="section-2">Two') < page.index('id="section-3">Three')


@settings(max_examples=15)
@given(st.text())
def test_no_text_escapes_its_place(text: str):
    hostile = text + "</script><script>alert(1)</script>"
    page = render_page(hostile, hostile, (Chart(hostile, (Line(hostile, (1,), (1,)),)), Text(hostile))).decode(
        errors="strict"
    )
    assert "<script>alert" not in page
    assert _figures(page.encode())[0]["data"][0]["name"] == hostile


def test_numbers_that_are_none_leave_a_gap():
    (figure,) = _figures(render_page("t", "s", (Chart("c", (Line("l", (1, 2), (float("nan"), 2.0)),)),)))
    assert figure["data"][0]["y"] == [None, 2.0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(30000, "30,000"), (0.86912345, "0.8691"), (1234.56, "1,234.6"), (float("nan"), "n/a"), (1e-7, "1e-07"), (0, "0")],
)
def test_numbers_are_shown_as_people_write_them(value: float, shown: str):
    assert show_number(value) == shown
