"""What the service is to know, from SQL over the sources: passages, and queries that were never indexed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from drivetrain.core.artifacts import KnowledgeTables
from drivetrain.core.digest import digest_of
from drivetrain.core.errors import InvalidInput, Refused, examples
from drivetrain.core.knowledge import KnowledgeSpec
from drivetrain.core.refs import Ref
from drivetrain.prepare.session import Session, quoted
from drivetrain.prepare.sql import SqlFile, read_sql
from drivetrain.prepare.writing import keep
from drivetrain.store.catalog import Catalog
from drivetrain.store.knowledge import KNOWLEDGE, QUERIES
from drivetrain.store.tables import Table

_PASSAGE, _MORE, _QUERY = ("id", "question", "answer"), ("title", "url", "language"), ("query", "id")


@dataclass(frozen=True)
class MadeKnowledge:
    """Passages and, where there are any, queries, as text in the order of their ids; the files they are made by."""

    passages: pa.Table
    queries: pa.Table | None
    files: tuple[SqlFile, ...]


def make_knowledge(session: Session, spec: KnowledgeSpec, home: Path) -> MadeKnowledge:
    """Run the SQL. Raises InvalidInput and Refused for rows that cannot be used, and what ``Session.make`` raises.

    A query must not be the question of its passage: that one was indexed, and finding it again would prove nothing.
    """
    file = read_sql(home, spec.passages)
    passages = _rows(session, file, _PASSAGE, _MORE)
    twice = session.ask("SELECT id FROM _wanted GROUP BY id HAVING count(*) > 1 ORDER BY id")
    if twice:
        raise _unusable(file, f"the id {examples(found for (found,) in twice)} stands there more than once")
    if spec.queries is None:
        return MadeKnowledge(passages, None, (file,))
    asked = read_sql(home, spec.queries)
    session.run("ALTER TABLE _wanted RENAME TO _passages")
    queries = _rows(session, asked, _QUERY, ())
    _check_queries(session, asked)
    return MadeKnowledge(passages, queries, (file, asked))


def keep_knowledge(made: MadeKnowledge, name: str, parents: tuple[Ref, ...], catalog: Catalog) -> KnowledgeTables:
    """Keep the tables ``knowledge`` and ``queries`` of that name; what has not changed is not written again."""
    sql = tuple(file.digest for file in made.files)
    passages = keep(Table(catalog.table_path(KNOWLEDGE, name)), made.passages, sql, parents)
    if made.queries is None:
        return KnowledgeTables(passages.version, None, passages.digest)
    queries = keep(Table(catalog.table_path(QUERIES, name)), made.queries, sql, parents)
    return KnowledgeTables(passages.version, queries.version, digest_of(passages.digest, queries.digest))


def _rows(session: Session, file: SqlFile, needed: Sequence[str], more: Sequence[str]) -> pa.Table:
    """The rows of a file as text, also as the table ``_wanted``."""
    there = session.make(file, "_found").names
    missing = [name for name in needed if name not in there]
    unknown = [name for name in there if name not in (*needed, *more)]
    if missing or unknown:
        said = f"there is no column {examples(missing)}" if missing else f"nothing is called {examples(unknown)} here"
        raise _unusable(
            file, said, f"select {', '.join(needed)}{' and, where there are, ' if more else ''}{', '.join(more)}"
        )
    columns = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in there)
    session.run(f"CREATE TEMP TABLE _wanted AS SELECT {columns} FROM _found ORDER BY ALL")
    session.run("DROP TABLE _found")
    empty = " OR ".join(f"{quoted(name)} IS NULL OR trim({quoted(name)}) = ''" for name in needed)
    if wrong := session.count(f"SELECT count(*) FROM _wanted WHERE {empty}"):
        raise _unusable(file, f"{wrong:,} rows have no {' or no '.join(needed)}", "leave such rows out: WHERE ...")
    rows = session.table("SELECT * FROM _wanted")
    if rows.num_rows == 0:
        raise _unusable(file, "there is no row", "is the source empty, or the condition too strict?")
    return rows


def _check_queries(session: Session, file: SqlFile) -> None:
    strangers = session.ask("SELECT DISTINCT id FROM _wanted ANTI JOIN _passages USING (id) ORDER BY id")
    if strangers:
        raise _unusable(file, f"there is no passage {examples(found for (found,) in strangers)}", "correct the `id`")
    plain = "trim(regexp_replace(lower({}), '[^\\pL\\pN]+', ' ', 'g'))"
    same = session.count(
        f"SELECT count(*) FROM _wanted JOIN _passages USING (id) "
        f"WHERE {plain.format('query')} = {plain.format('question')}"
    )
    if same:
        raise Refused(
            "query_indexed",
            f"{same:,} queries are the very question of their passage, which is indexed: finding it proves nothing",
            where=file.path,
            hint="ask in other words, or leave these rows out",
        )


def _unusable(file: SqlFile, said: str, hint: str = "correct the SQL") -> InvalidInput:
    return InvalidInput("knowledge_unusable", said, where=file.path, hint=hint)
