"""The gate of retrieval: whether people who ask in other words find the passage that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivetrain.core.artifacts import Estimate
from drivetrain.core.errors import InvalidInput
from drivetrain.core.project import Bound
from drivetrain.ops.intervals import wilson
from drivetrain.ops.knowledge import Knowledge, Ranked, knowledge_from
from drivetrain.store.knowledge import Query, read_queries
from drivetrain.store.pages import Table
from drivetrain.validate.evidence import Evidence
from drivetrain.validate.gates import Finding, asked, judge

_FUSED = "fused"
_LISTED = 20


@dataclass(frozen=True)
class _Tried:
    """A query, its right passage by place, and what was found."""

    query: Query
    right: int
    ranked: Ranked

    @property
    def orders(self) -> Mapping[str, Sequence[int]]:
        return {**self.ranked.rankings, _FUSED: self.ranked.fused}

    def is_found(self, ranking: str, k: int) -> bool:
        return self.right in self.orders[ranking][:k]


def retrieval(evidence: Evidence) -> Finding:
    """Recall over the queries of the project; that of each ranking stands beside it, and what was missed."""
    gate = asked(evidence.spec.retrieval)
    knowledge = knowledge_from(evidence.content.knowledge)
    queries = read_queries(evidence.catalog, evidence.features)
    if knowledge is None or not queries:
        raise InvalidInput("no_queries", "nobody says what is asked", hint="set `knowledge.queries`")
    places = {passage.id: place for place, passage in enumerate(knowledge.passages)}
    tried = [_Tried(query, places[query.id], knowledge.rank(query.query)) for query in queries]
    cited = sum(each.ranked.scores[each.right] >= knowledge.citation.score for each in tried) / len(tried)
    detail = f"{len(tried):,} queries over {len(places):,} passages; {cited:.1%} of the right ones may be cited"
    measured = _recall(tried, _FUSED, gate.recall_at)
    result = judge("retrieval", measured, Bound(min=gate.min, sure=gate.sure), detail)
    return Finding((result,), (_rankings(tried, gate.recall_at), _missed(knowledge, tried, gate.recall_at)))


def _recall(tried: Sequence[_Tried], ranking: str, k: int) -> Estimate:
    return wilson(f"recall@{k}", sum(each.is_found(ranking, k) for each in tried), len(tried))


def _rankings(tried: Sequence[_Tried], k: int) -> Table:
    rows = []
    for name in tried[0].orders:
        first, among = _recall(tried, name, 1), _recall(tried, name, k)
        rows.append((name, f"{first.value:.1%}", f"{among.value:.1%}", f"{among.low:.1%} to {among.high:.1%}"))
    header = ("ranking", "recall@1", f"recall@{k}", "95 % interval")
    return Table("How often the right passage is found", header, tuple(rows))


def _missed(knowledge: Knowledge, tried: Sequence[_Tried], k: int) -> Table:
    missed = [each for each in tried if not each.is_found(_FUSED, k)]
    rows = tuple(
        (each.query.query, knowledge.passages[each.right].question, _first(knowledge, each))
        for each in missed[:_LISTED]
    )
    header = ("query", "the right passage", "what was found first")
    return Table("Queries that do not find their passage", header, rows, f"{len(missed):,} of {len(tried):,} queries.")


def _first(knowledge: Knowledge, tried: _Tried) -> str:
    found = tried.ranked.fused
    return knowledge.passages[found[0]].question if found else "nothing"
