"""The gate of retrieval: the share of queries that find their passage, and which do not."""

from types import SimpleNamespace

import pyarrow as pa
import pytest
from tests.conftest import PROJECT

from drivetrain.core.artifacts import KnowledgeTables
from drivetrain.core.errors import InvalidInput
from drivetrain.core.knowledge import KnowledgeSpec
from drivetrain.core.parse import parse_project
from drivetrain.core.project import GatesSpec
from drivetrain.store.catalog import Catalog
from drivetrain.store.knowledge import KNOWLEDGE, QUERIES, read_passages
from drivetrain.store.tables import Commit, Table
from drivetrain.train.knowledge import make_knowledge
from drivetrain.validate.retrieval import retrieval

FAQ = [("permit", "What does a permit cost?", "A fee."), ("time", "How long does it take?", "Ten weeks."),
       ("roof", "When is a roof replaced?", "After fifty years.")]  # fmt: skip
ASKED = [("permit price", "permit"), ("take long weeks", "time"), ("may tiles be old", "roof"), ("roof", "roof")]


@pytest.fixture
def judged(tmp_path):
    """``judged(min=...)``: what the gate finds of four queries over three passages, of which one finds nothing."""

    def judge(asked=ASKED, **gate):
        with Catalog(tmp_path) as catalog:
            columns = {KNOWLEDGE: ("id", "question", "answer"), QUERIES: ("query", "id")}
            versions = [
                Table(catalog.table_path(area, "desk")).overwrite(
                    pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows]), Commit("", "", 0)
                )
                for (area, names), rows in zip(columns.items(), (FAQ, asked), strict=True)
                if rows
            ]
            features = SimpleNamespace(
                name="desk", knowledge=KnowledgeTables(versions[0], versions[1] if asked else None, "")
            )
            known = make_knowledge(KnowledgeSpec(passages="p.sql"), read_passages(catalog, features), catalog)
            spec = GatesSpec.model_validate({"retrieval": gate})
            content = SimpleNamespace(knowledge=known.files())
            return retrieval(SimpleNamespace(spec=spec, features=features, catalog=catalog, content=content))

    return judge


def test_recall_has_an_interval_and_is_held_to_the_bound(judged):
    (result,) = judged(recall_at=1, min=0.7).results
    assert (result.gate, result.verdict, result.measured.name) == ("retrieval", "pass", "recall@1")
    assert (result.measured.value, result.measured.rows) == (0.75, 4)
    assert result.measured.low < 0.75 < result.measured.high
    assert judged(min=0.8).results[0].verdict == "fail"
    assert judged(min=0.7, sure=True).results[0].verdict == "fail"


def test_the_report_tells_each_ranking_and_what_was_missed(judged):
    rankings, missed = judged(min=0.5).tables
    assert [row[0] for row in rankings.rows] == ["words of the question", "words of the whole", "fused"]
    assert missed.rows == (("may tiles be old", "When is a roof replaced?", "nothing"),)


def test_without_queries_it_cannot_be_decided(judged):
    with pytest.raises(InvalidInput, match="nobody says what is asked"):
        judged(asked=[], min=0.5)
    with pytest.raises(InvalidInput, match="which are not given"):
        parse_project(PROJECT.replace("gates:\n", "gates:\n  retrieval: {min: 0.9}\n"))
