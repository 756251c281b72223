"""Passages and queries come from SQL over the sources; what cannot be used is refused with its place."""

import pytest

from drivetrain.core.errors import InvalidInput, NotFound, Refused
from drivetrain.core.knowledge import KnowledgeSpec
from drivetrain.core.project import FeaturesSpec
from drivetrain.prepare.prepare import prepare
from drivetrain.store.knowledge import Query, read_passages, read_queries

PASSAGES = "SELECT id, q AS question, a AS answer, 'en' AS language FROM faq"
QUERIES = "SELECT id, 'price of ' || id AS query FROM faq"


@pytest.fixture
def known(project):
    """``known(passages, queries)``: stage 2 of a project with these SQL texts."""
    project.source("faq", {"id": ["b", "a"], "q": ["How long?", "How much?"], "a": ["Ten weeks.", "A tariff."]})
    project.source(
        "cases", {"id": list(range(40)), "y": [at % 2 == 0 for at in range(40)], "x": [at * 7 % 11 for at in range(40)]}
    )

    def make(passages=PASSAGES, queries=QUERIES):
        said = {
            "spine": project.sql("features/spine.sql", "SELECT id, y FROM cases"), "entity": "id", "label": "y",
            "tables": {"t": {"sql": project.sql("features/t.sql", "SELECT id, x FROM cases")}},
            "leaks": {"max_duplicates": 1},
        }  # fmt: skip
        told = {"passages": project.sql("features/passages.sql", passages)}
        if queries is not None:
            told["queries"] = project.sql("features/queries.sql", queries)
        spec, knowledge = FeaturesSpec.model_validate(said), KnowledgeSpec.model_validate(told)
        return prepare(spec, "desk", project.datasets, project.catalog, knowledge=knowledge)

    return make


def test_passages_and_queries_are_tables_of_their_own(project, known):
    features = known()
    passages = read_passages(project.catalog, features)
    assert [(one.id, one.question, one.answer, one.url, one.language) for one in passages] == [
        ("a", "How much?", "A tariff.", "", "en"), ("b", "How long?", "Ten weeks.", "", "en"),
    ]  # fmt: skip
    assert read_queries(project.catalog, features) == (Query("price of a", "a"), Query("price of b", "b"))
    assert {parent.name for parent in features.parents} == {"faq", "cases"}
    assert known() == features, "nothing changed, so nothing is written"


def test_a_change_of_an_answer_is_another_knowledge_of_the_same_features(known):
    before, after = known(), known(PASSAGES.replace("a AS answer", "a || '!' AS answer"))
    assert before.digest == after.digest
    assert before.knowledge.digest != after.knowledge.digest


def test_without_queries_nothing_is_asked(project, known):
    assert read_queries(project.catalog, known(queries=None)) == ()


@pytest.mark.parametrize(
    ("passages", "queries", "error", "said"),
    [
        ("SELECT id, q AS question FROM faq", None, InvalidInput, "no column answer"),
        ("SELECT id, q AS question, a AS answer, 1 AS more FROM faq", None, InvalidInput, "nothing is called more"),
        ("SELECT 'x' AS id, q AS question, a AS answer FROM faq", None, InvalidInput, "the id x stands there"),
        ("SELECT id, '  ' AS question, a AS answer FROM faq", None, InvalidInput, "2 rows have no"),
        (PASSAGES + " WHERE id = 'c'", None, InvalidInput, "there is no row"),
        (PASSAGES.replace("faq", "fqa"), None, NotFound, "not a source"),
        (PASSAGES, "SELECT 'c' AS id, 'price' AS query", InvalidInput, "there is no passage c"),
        (PASSAGES, "SELECT id, lower(q) || ' !' AS query FROM faq", Refused, "2 queries are the very question"),
        (PASSAGES, "SELECT id, random() AS query FROM faq", Refused, "differently every time"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(known, passages, queries, error, said):
    with pytest.raises(error, match=said) as told:
        known(passages, queries)
    assert told.value.where.startswith("features/")
