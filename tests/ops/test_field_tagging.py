"""A tagger learns from bills of five layouts, and finds fields on two layouts that it never saw."""

import pytest
from tests.papers.bills import LAYOUTS, bills

from drivetrain.core.reading import STANDARD
from drivetrain.ops.field_tagging import FieldTagger, marked
from drivetrain.ops.fields import fields_of
from drivetrain.ops.tagger import Tagger
from drivetrain.store.papers.pdf import read_pdf

SEEN, UNSEEN = ("table", "left", "right", "boxed", "letter"), ("mirrored", "stacked")


def papers(found):
    return [(read_pdf(bill.content, STANDARD, None), bill.truth) for bill in found]


@pytest.fixture(scope="module")
def examples():
    return papers(bills(SEEN, 60, seed=1))


@pytest.fixture(scope="module")
def tagger(examples):
    return FieldTagger.learned(examples)


def measured(tagger, found):
    """Precision and recall over all fields, by what stands in the document."""
    right = said = true = 0
    for paper, truth in found:
        told = {field.kind: field.written for field in tagger.fields(paper, fields_of(paper.text))}
        right += sum(told.get(kind, "").strip(" ,;:") == value for kind, value in truth.items())
        said, true = said + len(told), true + len(truth)
    return right / said, right / true


def test_fields_of_layouts_that_it_knows(tagger):
    precision, recall = measured(tagger, papers(bills(SEEN, 40, seed=2)))
    assert precision > 0.95, (precision, recall)
    assert recall > 0.95, (precision, recall)


def test_fields_of_layouts_that_it_never_saw(tagger):
    precision, recall = measured(tagger, papers(bills(UNSEEN, 40, seed=3)))
    assert precision > 0.85, (precision, recall)
    assert recall > 0.80, (precision, recall)


def test_values_are_those_of_the_rules(tagger):
    (paper, _), *_ = papers(bills(("table",), 1, seed=4))
    told = {field.kind: field for field in tagger.fields(paper, fields_of(paper.text))}
    assert told["total"].value.endswith(" EUR")
    assert len(told["issued"].value) == 10
    assert all(0.5 <= field.score <= 1 for field in told.values())


def test_the_same_examples_give_the_same_bytes_and_come_back(examples, tagger):
    again = FieldTagger.learned(examples)
    assert again.tagger.to_bytes() == tagger.tagger.to_bytes()
    back = FieldTagger(Tagger.from_bytes(tagger.tagger.to_bytes()))
    paper, _ = examples[0]
    assert back.fields(paper, fields_of(paper.text)) == tagger.fields(paper, fields_of(paper.text))
    assert back.kinds == ("customer", "due", "issued", "number", "supplier", "total")


def test_a_field_that_stands_nowhere_is_not_learned(examples):
    paper, _ = examples[0]
    assert set(marked(paper, {"total": "no such text"}).labels) == {"O"}
    with pytest.raises(ValueError, match="no document"):
        FieldTagger.learned([(paper, {"total": "no such text"})])


@pytest.mark.slow
def test_each_layout_when_only_the_others_were_seen():
    found = {}
    for layout in LAYOUTS:
        others = tuple(one for one in LAYOUTS if one != layout)
        learned = FieldTagger.learned(papers(bills(others, 60, seed=1)))
        found[layout] = measured(learned, papers(bills((layout,), 40, seed=3)))
    precisions, recalls = zip(*found.values(), strict=True)
    assert sum(precisions) / len(found) > 0.92, found
    assert sum(recalls) / len(found) > 0.85, found
    assert min(recalls) > 0.6, found
