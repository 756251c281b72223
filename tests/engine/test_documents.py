"""A tagger is learned from marked documents, measured on layouts held back, and used where documents are read."""

import json

import pytest
from tests.papers.bills import LAYOUTS, bills
from tests.papers.written import At, pdf

from drivetrain.core.errors import InvalidInput, NotFound
from drivetrain.engine.documents import describe_document, learn_fields, reading_with


@pytest.fixture
def marked(tmp_path):
    lines = []
    for number, bill in enumerate(bills(LAYOUTS, 49, seed=5)):
        (tmp_path / f"{number}.pdf").write_bytes(bill.content)
        lines.append(json.dumps({"path": f"{number}.pdf", "group": bill.layout, "fields": dict(bill.truth)}))
    (tmp_path / "marked.jsonl").write_text("\n".join(lines))
    return tmp_path / "marked.jsonl"


def test_a_tagger_is_measured_on_groups_held_back_and_finds_fields(marked, tmp_path):
    learned = learn_fields(marked, tmp_path / "fields.npz", tried=0.3, ocr=False)
    assert (learned.learned_from, learned.tried) == (49, 14)
    right, there = sum(one.right for one in learned.scores), sum(one.there for one in learned.scores)
    assert there == 14 * 6
    assert right / there > 0.6  # two layouts of seven that it did not see, after 35 bills
    assert all(0 <= one.precision <= 1 and 0 <= one.recall <= 1 for one in learned.scores)
    (bill,) = bills(("table",), 1, seed=6)
    (tmp_path / "new.pdf").write_bytes(bill.content)
    told = describe_document(tmp_path / "new.pdf", reading_with(tmp_path / "fields.npz", ocr=False, masked=False))
    found = {field.kind: field for field in told.fields}
    assert found["supplier"].value == bill.truth["supplier"]
    assert found["total"].value.endswith(" EUR")
    assert found["total"].box is not None


def test_what_personal_data_say_is_not_told(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf([At(50, 50, "Mail: anna@example.com")]))
    told = describe_document(tmp_path / "a.pdf", reading_with(None, ocr=False, masked=True))
    assert told.text == "Mail: <email>"
    assert [(field.kind, field.value) for field in told.fields] == [("email", "<email>")]


def test_mistakes_in_the_marks_are_named_by_their_line(marked, tmp_path):
    for line, code, error in (
        ("{", "marks_invalid", InvalidInput),
        ('{"path": "0.pdf", "field": {}}', "marks_invalid", InvalidInput),
        ('{"path": "none.pdf", "fields": {}}', "no_files", NotFound),
    ):
        marked.write_text(f"\n{line}\n")
        with pytest.raises(error) as caught:
            learn_fields(marked, tmp_path / "fields.npz", ocr=False)
        assert (caught.value.code, caught.value.where) == (code, f"{marked}:1")
    marked.write_text('{"path": "0.pdf", "fields": {"total": "nowhere"}}')
    with pytest.raises(InvalidInput) as caught:
        learn_fields(marked, tmp_path / "fields.npz", tried=0, ocr=False)
    assert caught.value.code == "fields_not_found"
    assert not (tmp_path / "fields.npz").exists()


def test_a_file_that_is_no_tagger(tmp_path):
    with pytest.raises(NotFound):
        reading_with(tmp_path / "none.npz", ocr=False, masked=True)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04no")
    with pytest.raises(InvalidInput) as caught:
        reading_with(tmp_path / "bad.npz", ocr=False, masked=True)
    assert caught.value.code == "tagger_invalid"
