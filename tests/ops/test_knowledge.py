"""What a service knows is found again by its words, is cited only when it fits, and survives its files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.core.passages import Citation, Passage
from drivetrain.ops.bm25 import index_passages
from drivetrain.ops.knowledge import Knowledge, View, knowledge_from

FAQ = (
    Passage("permit", "What does a building permit cost?", "The fee follows the tariff of the municipality."),
    Passage("time", "How long does a permit take?", "Ten weeks, hard cases twenty.", "PBL 9", "https://x", "en"),
    Passage("roof", "When is a roof replaced?", "Tiles last fifty years."),
)
words = st.lists(st.sampled_from(["permit", "cost", "roof", "the", "naïve", "zebra"]), max_size=6).map(" ".join)


def known(passages=FAQ, score=0.3, most=3):
    texts = {"question": [one.question for one in passages], "whole": [one.question + one.answer for one in passages]}
    views = {name: View(index_passages(found)) for name, found in texts.items()}
    return Knowledge(tuple(passages), Citation(score, most), views)


def test_the_passage_that_answers_comes_first_and_is_cited():
    first, *others = known().search("cost of a permit", 3)
    assert (first.passage.id, first.is_cited) == ("permit", True)
    assert all(first.score >= other.score for other in others)


def test_what_has_little_in_common_is_found_and_not_cited():
    found = known().search("when do zebras in the savannah sleep at night and who watches", 3)
    assert found
    assert not any(one.is_cited for one in found)
    assert known().search("qwrtz", 3) == ()
    assert known().search("", 3) == ()


def test_at_most_so_many_are_cited():
    assert sum(one.is_cited for one in known(score=0.0, most=1).search("permit roof", 3)) == 1


def test_passages_of_another_language_are_left_out_but_not_those_that_say_none():
    both = known((*FAQ, Passage("dauer", "Wie lange dauert ein permit?", "Zehn Wochen.", language="de")))
    assert {one.passage.id for one in both.search("permit", 9)} == {"permit", "time", "dauer"}
    assert {one.passage.id for one in both.search("permit", 9, "de")} == {"permit", "dauer"}
    assert [one.passage.id for one in both.search("permit", 1, "fr")] == ["permit"]


@given(question=words, k=st.integers(1, 5))
def test_scores_are_shares_and_files_change_nothing(question, k):
    knowledge = known()
    found = knowledge.search(question, k)
    assert len(found) <= k
    assert all(0 <= one.score <= 1 for one in found)
    again = knowledge_from(knowledge.files())
    assert again is not None
    assert again.search(question, k) == found
    assert again.files() == knowledge.files()


def test_without_files_nothing_is_known():
    assert knowledge_from({"model.onnx": b""}) is None


@pytest.mark.parametrize("name", sorted(known().files()))
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\x93NUMPY"])
def test_files_that_are_missing_or_damaged_are_refused(name, content):
    files = {path: whole for path, whole in known().files().items() if path != name or content is not None}
    if content is not None:
        files[name] = content
    if content is None and name.endswith("knowledge.json"):
        assert knowledge_from(files) is None
        return
    with pytest.raises(InvalidInput):
        knowledge_from(files)


def test_parts_that_do_not_fit_each_other_are_refused():
    files = known().files()
    other = known(FAQ[:2]).files()
    for name in files:
        if name.endswith(".npy") and not np.array_equal(files[name], other[name]):
            with pytest.raises(InvalidInput):
                knowledge_from({**files, name: other[name]})
