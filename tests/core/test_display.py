from drivetrain.core.artifacts import Dataset
from drivetrain.core.display import table
from drivetrain.core.schema import Schema


def test_cells_are_escaped():
    html = table("T <1>", ("a",), [("<script>",)])
    assert "&lt;script&gt;" in html
    assert "T &lt;1&gt;" in html
    assert "<script>" not in html


def test_artifact_shows_its_fields():
    shown = Dataset("loans", 3, "d" * 300, 10, 1, Schema(()))._repr_html_()
    assert "dataset/loans@3" in shown
    assert "<td style='text-align:left'>rows</td><td style='text-align:left'>10</td>" in shown
    assert "d" * 120 + " ..." in shown
