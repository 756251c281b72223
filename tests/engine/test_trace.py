"""From artefacts back to their data; from predictions: tests/journeys/test_two_engineers.py."""

import pytest

from drivetrain.core.errors import NotFound, Tampered
from drivetrain.core.refs import Kind


def test_release_is_traced_to_data_code_and_people(released):
    trace = released.trace(str(released.release().ref))
    assert [step.what for step in trace.steps] == ["release", "report", "model", "features", "dataset", "code"]
    facts = dict(trace.steps[0].facts)
    assert facts["signed by"].startswith("mia (ml-engineer)")
    assert facts["approved by"] == "nobody"
    assert "<table>" in trace._repr_html_()


def test_model_is_traced_to_its_dataset_version(released):
    model = released.list(Kind.MODEL)[0].ref
    steps = released.trace(str(model)).steps
    assert [step.name for step in steps][-1] == "dataset/loans@0"
    assert dict(steps[-1].facts)["table version"] == "0"


def test_changed_release_is_not_traced(released):
    folder = released.catalog.folder(released.release().ref)
    file = folder / "model" / "decision.json"
    file.write_bytes(file.read_bytes().replace(b"cost", b"c0st"))
    with pytest.raises(Tampered, match=r"decision\.json"):
        released.trace(str(released.release().ref))


def test_unknown_prediction_is_not_found(released):
    with pytest.raises(NotFound, match="no service of this project recorded"):
        released.trace("0123456789abcdef")
