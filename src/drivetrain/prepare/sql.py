"""Feature SQL before it runs: one SELECT that reads declared sources only and gives the same rows every time."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from drivetrain.core.decoding import read_json
from drivetrain.core.digest import FileDigest, digest_bytes
from drivetrain.core.errors import InvalidInput, NotFound, Refused, examples

_TIMES = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
_SETTINGS = frozenset({"current_setting", "version"})
_TABLES = frozenset({"range", "generate_series", "unnest"})
_VOLATILE = "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"

Node = Mapping[str, object]


@dataclass(frozen=True)
class SqlFile:
    """A feature SQL file: its path inside the project (with /) and its bytes."""

    path: str
    content: bytes

    @property
    def text(self) -> str:
        """The SQL; raises InvalidInput when the file is not UTF-8."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.content[: error.start].count(b"\n") + 1
            raise InvalidInput(
                "sql_not_utf8", "the file is not UTF-8 text", where=f"{self.path}:{line}", hint="save it as UTF-8"
            ) from None

    @property
    def digest(self) -> FileDigest:
        """The path and the SHA-256 of the bytes."""
        return FileDigest(self.path, digest_bytes(self.content), len(self.content))


def read_sql(home: Path, path: str) -> SqlFile:
    """The SQL file at ``path`` inside the project; raises NotFound, or InvalidInput when it lies outside."""
    file = (home / path).resolve()
    if not file.is_relative_to(home.resolve()):
        raise InvalidInput(
            "sql_outside", "the file lies outside the project", where=path, hint="move it below the project's folder"
        )
    if not file.is_file():
        there = sorted(found.relative_to(home).as_posix() for found in home.glob("*/*.sql"))
        near = difflib.get_close_matches(path, there, n=3) or there
        raise NotFound(
            "sql_missing",
            "there is no such SQL file",
            where=path,
            hint=f"did you mean {examples(near)}?"
            if near
            else "write the file, or correct the path in drivetrain.yaml",
        )
    return SqlFile(file.relative_to(home.resolve()).as_posix(), file.read_bytes())


def examine(connection: duckdb.DuckDBPyConnection, file: SqlFile, sources: Collection[str]) -> frozenset[str]:
    """The sources that the file reads, read off the tree of DuckDB's own parser.

    Raises InvalidInput when it is not one SELECT, NotFound for a table that is no source, Refused for functions and
    samples that answer differently every time, or that read anything but a source.
    """
    nodes = list(_nodes(parse(connection, file)))
    volatile = {name for (name,) in connection.execute(_VOLATILE).fetchall()} - {"error"} | _TIMES | _SETTINGS
    for node in nodes:
        _refuse_chance(file, node, volatile)
    own = {str(item["key"]).lower() for node in nodes for item in _ctes(node)}
    known = {source.lower(): source for source in sources}
    read = set()
    for node in nodes:
        if node.get("type") == "BASE_TABLE":
            name = ".".join(str(node[key]) for key in ("catalog_name", "schema_name", "table_name") if node[key])
            if name.lower() in known:
                read.add(known[name.lower()])
            elif name.lower() not in own:
                raise _unknown(file, node, name, sources)
    return frozenset(read)


def parse(connection: duckdb.DuckDBPyConnection, file: SqlFile) -> Node:
    """The tree of DuckDB's own parser. Raises InvalidInput when the file is not one SELECT."""
    try:
        statements = connection.extract_statements(file.text)
    except duckdb.Error as error:
        raise sql_failed(file, error) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidInput(
            "sql_not_a_select",
            f"a feature file is one SELECT; this one holds {_kinds(statements)}",
            where=file.path,
            hint="one file makes one table: split the file, and use WITH for steps in between",
        )
    (answer,) = connection.execute("SELECT json_serialize_sql(?)", [file.text]).fetchone() or ("",)
    try:
        tree = read_json(answer, dict[str, object])
    except RecursionError:
        tree = {"error": True, "error_message": "the SQL is nested too deeply"}
    if tree["error"]:
        raise InvalidInput(
            "sql_failed", str(tree["error_message"]), where=file.path, hint="use WITH for steps in between"
        )
    return tree


def _kinds(statements: list[duckdb.Statement]) -> str:
    kinds = [statement.type.name for statement in statements]
    return examples(kinds) if kinds else "no statement"


def _nodes(tree: object) -> Iterator[Node]:
    """Every node of the tree, in no promised order."""
    queue = [tree]
    while queue:
        item = queue.pop()
        if isinstance(item, dict):
            yield item
            queue.extend(item.values())
        elif isinstance(item, list):
            queue.extend(item)


def _ctes(node: Node) -> list[Node]:
    ctes = node.get("cte_map")
    return list(ctes["map"]) if isinstance(ctes, dict) else []


def _refuse_chance(file: SqlFile, node: Node, volatile: Collection[str]) -> None:
    name = _function(node)
    if name in volatile:
        raise Refused(
            "sql_not_repeatable",
            f"{name} answers differently every time, so the features could never be made again",
            where=place_of(file, node),
            hint="take the time from a column of the data; take a sample by hash(id) % 100 < 10",
        )
    if node.get("sample"):
        raise Refused(
            "sql_not_repeatable",
            "a random sample differs every time, so the features could never be made again",
            where=place_of(file, node),
            hint="take a sample by hash(id) % 100 < 10",
        )
    if node.get("type") == "TABLE_FUNCTION":
        called = node.get("function")
        table = _function(called) if isinstance(called, dict) else ""
        if table not in _TABLES:
            raise Refused(
                "sql_reads_elsewhere",
                f"{table or 'the table function'}() reads what is not a source of the project",
                where=place_of(file, node),
                hint="declare it under `sources:` in drivetrain.yaml, so that it is versioned and checked",
            )


def _function(node: Node) -> str:
    """The name of the function that a node calls, ``current_date`` and its like included; else empty."""
    if node.get("class") == "COLUMN_REF":
        names = node.get("column_names")
        only = str(names[0]).lower() if isinstance(names, list) and len(names) == 1 else ""
        return only if only in _TIMES else ""
    return str(node.get("function_name", "")).lower()


def place_of(file: SqlFile, node: Node) -> str:
    """``path:line`` of a node; the path alone when DuckDB does not say."""
    at, content = node.get("query_location"), file.text.encode()
    if not isinstance(at, int) or at > len(content):
        return file.path
    return f"{file.path}:{content[:at].count(10) + 1}"


def _unknown(file: SqlFile, node: Node, name: str, sources: Collection[str]) -> NotFound:
    near = difflib.get_close_matches(name, sorted(sources), n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return NotFound(
        "source_unknown",
        f"{name!r} is not a source of this project",
        where=place_of(file, node),
        hint=f"{guess}sources: {examples(sorted(sources), 20)}",
    )


def sql_failed(file: SqlFile, error: duckdb.Error) -> InvalidInput:
    """DuckDB's own message, at the file and line it speaks of."""
    message, _, place = str(error).partition("\n\nLINE ")
    line = place.partition(":")[0]
    return InvalidInput(
        "sql_failed",
        message.replace("\n", " "),
        where=f"{file.path}:{line}" if line.isdigit() else file.path,
        hint="correct the SQL; `drivetrain show dataset/NAME` lists the columns of a source",
    )
